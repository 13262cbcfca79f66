import { expect, test } from 'vitest';
import { EXEC } from '../../client/exec-method.ts';
import { execAnswers } from '../../src/rpc/exec-answers.ts';
import { ExecResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';

test('the short cut of exec is the generated method, with the codec that is held against its own', () => {
  const { name, requestType, responseType } = WardenDefinition.methods.exec;
  expect(EXEC.service).toBe(WardenDefinition.fullName);
  expect(EXEC.method).toEqual({ name, requestType, responseType: execAnswers });
  expect(EXEC.method.requestType).toBe(requestType);
  expect(responseType).toBe(ExecResponse);
});
