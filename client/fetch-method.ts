import { FetchRequest, FetchResponse } from '../src/rpc/generated/warden/v1/warden.ts';

/** `WardenDefinition.methods.fetch` by itself, as `SIGN` is of `sign`. A test keeps it equal. */
export const FETCH = {
  service: 'warden.v1.Warden',
  method: { name: 'Fetch', requestType: FetchRequest, responseType: FetchResponse },
} as const;
