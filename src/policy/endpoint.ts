import { type Endpoint, type EndpointWords, parseAddress } from '../http/endpoint.ts';

const WORDS: EndpointWords = {
  name: 'the decision point',
  setting: 'policy.flex_auth_url',
  credentials: 'policy.auth.bearer_file',
};

/** Where the decision point answers. @throws WardenError config_invalid */
export function parseEndpoint(text: string): Endpoint {
  return parseAddress(text, WORDS);
}
