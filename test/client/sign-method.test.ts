import { expect, test } from 'vitest';
import { SIGN } from '../../client/sign-method.ts';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';

test('the short cut of sign is the generated method', () => {
  const { name, requestType, responseType } = WardenDefinition.methods.sign;
  expect(SIGN.service).toBe(WardenDefinition.fullName);
  expect(SIGN.method).toEqual({ name, requestType, responseType });
  expect(SIGN.method.requestType).toBe(requestType);
});
