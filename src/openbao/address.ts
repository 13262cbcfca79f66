import { type Endpoint, parseAddress } from '../http/endpoint.ts';

/** Apart from the client: who only checks a setting need not load HTTP. @throws WardenError config_invalid */
export function parseOpenBaoAddress(address: string): Endpoint {
  return parseAddress(address, { name: 'OpenBao', setting: 'openbao.address', credentials: 'openbao.login' });
}
