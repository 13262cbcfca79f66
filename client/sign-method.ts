import { SignRequest, SignResponse } from '../src/rpc/generated/warden/v1/warden.ts';

/**
 * `WardenDefinition.methods.sign`, without the definitions of all other messages: they are most of the bytes that
 * `warden sign` would have to parse. A test keeps it equal.
 */
export const SIGN = {
  service: 'warden.v1.Warden',
  method: { name: 'Sign', requestType: SignRequest, responseType: SignResponse },
} as const;
