import type { IncomingHttpHeaders } from 'node:http';
import { DOUBLE_HEADER } from '../http/answer.ts';
import { PolicyFault } from './decision-point.ts';

/** What the status and headers of an answer are a fault for; null where its body may be read. */
export function faultOfHead(status: number, headers: IncomingHttpHeaders, acceptDoubles: boolean): PolicyFault | null {
  if (headers[DOUBLE_HEADER] !== undefined && !acceptDoubles) {
    return new PolicyFault('untrusted', 'a double answers where a real decision point is wanted');
  }
  if (status === 200) return null;
  if (status >= 400 && status <= 599) {
    return new PolicyFault('http_status', `the decision point answered HTTP ${status}`, { status });
  }
  // A redirect, or success without a decision: an answer outside the contract, which never opens the gate.
  return new PolicyFault('answer', `the decision point answered HTTP ${status}`);
}
