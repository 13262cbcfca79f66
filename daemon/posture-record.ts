import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { WardenError } from '../src/kernel/errors.ts';
import { type EnvPosture, POSTURES } from '../src/kernel/posture.ts';
import {
  findPromotion,
  MAX_PROMOTIONS_BYTES,
  PROMOTIONS_FILE,
  type Promotion,
  parsePromotions,
} from '../src/posture/promotion-record.ts';

const FILE = 'posture';

/**
 * A state folder belongs to one posture: neither a reload nor a restart turns a dev ledger, with its synthetic
 * certificates, into a prod one. Only a finished `warden posture promote` on record in it lets it go up a tier; the
 * record that did is the answer, null where nothing changed.
 * @throws WardenError posture_forbids
 */
export function bindPosture(stateDir: string, posture: EnvPosture): Promotion | null {
  const path = join(stateDir, FILE);
  const recorded = read(path);
  if (recorded === null) {
    replace(path, posture);
    return null;
  }
  if (recorded === posture) return null;
  const from = POSTURES.find((known) => known === recorded);
  const promotion = from === undefined ? null : findPromotion(promotionsIn(stateDir), from, posture);
  if (promotion !== null) {
    replace(path, posture);
    return promotion;
  }
  throw new WardenError(
    'posture_forbids',
    `the state folder ${stateDir} is of posture ${from ?? 'unreadable'}, and the config says ${posture}`,
    {
      hint: `give this posture a state folder of its own: --state DIR; or promote this one: warden posture promote --to ${posture === 'dev' ? 'test' : posture}`,
    },
  );
}

/** Written whole or not at all: a posture file cut short would lock its folder for good. */
function replace(path: string, posture: EnvPosture): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(fd, `${posture}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** @throws WardenError posture_forbids where the file is not to be believed */
function promotionsIn(stateDir: string): readonly Promotion[] {
  const path = join(stateDir, PROMOTIONS_FILE);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unbelievable(path, 'it cannot be read');
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw unbelievable(path, 'it is no regular file');
    if (stats.uid !== 0 && stats.uid !== process.getuid?.()) throw unbelievable(path, 'it belongs to someone else');
    if ((stats.mode & 0o022) !== 0) throw unbelievable(path, 'group or others can write it');
    if (stats.size > MAX_PROMOTIONS_BYTES) throw unbelievable(path, 'it is too large');
    const bytes = Buffer.alloc(stats.size);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    const records = parsePromotions(bytes.toString('utf8', 0, length));
    if (records === null) throw unbelievable(path, 'it is no file of promotions');
    return records;
  } finally {
    closeSync(fd);
  }
}

function unbelievable(path: string, why: string): WardenError {
  return new WardenError('posture_forbids', `the promotions on record in ${path} do not count: ${why}`, {
    hint: 'look into who wrote it, move it away, and hold the ceremony again: warden posture promote',
  });
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
