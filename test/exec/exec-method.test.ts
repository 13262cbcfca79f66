import { expect, test } from 'vitest';
import { EXEC } from '../../client/exec-method.ts';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';

test('the short cut of exec is the generated method', () => {
  const { name, requestType, responseType } = WardenDefinition.methods.exec;
  expect(EXEC.service).toBe(WardenDefinition.fullName);
  expect(EXEC.method).toEqual({ name, requestType, responseType });
  expect(EXEC.method.requestType).toBe(requestType);
});
