import { execAnswers } from '../src/rpc/exec-answers.ts';
import { ExecRequest } from '../src/rpc/generated/warden/v1/warden.ts';

/** `WardenDefinition.methods.exec` by itself, as `SIGN` is of `sign`. A test keeps it equal. */
export const EXEC = {
  service: 'warden.v1.Warden',
  method: { name: 'Exec', requestType: ExecRequest, responseType: execAnswers },
} as const;
