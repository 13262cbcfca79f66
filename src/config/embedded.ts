import { createHash } from 'node:crypto';
import type { FolderContent } from './read-folder.ts';

const WARDEN = `version: 1
posture: dev
`;

// No callers: only the daemon's own uid may ask.
const INVENTORY = `version: 1
actors:
  - { name: adm-example, type: adm, principals: [adm-example], maturity: M1 }
  - { name: agt-demo, type: agt, principals: [agt-demo], maturity: M1 }
  - { name: atm-demo, type: atm, principals: [atm-demo], maturity: M1 }
`;

/** What the dev posture stands on where there are no files: read through the very same road as files. */
export function embeddedDefaults(): FolderContent {
  return { warden: file(WARDEN), inventory: file(INVENTORY), routes: null, problems: [] };
}

function file(text: string): NonNullable<FolderContent['warden']> {
  return { bytes: new TextEncoder().encode(text), hash: createHash('sha256').update(text).digest('hex') };
}
