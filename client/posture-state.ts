import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EnvPosture, POSTURES } from '../src/kernel/posture.ts';
import {
  MAX_PROMOTIONS_BYTES,
  PROMOTIONS_FILE,
  type Promotion,
  parsePromotions,
} from '../src/posture/promotion-record.ts';
import { usageError } from './args.ts';
import { readBounded, whyFile } from './bounded-file.ts';

const HINT = 'name the state folder of the daemon: --state DIR (warden status tells administrators)';

/** The posture that a state folder is of. @throws WardenError invalid_request where no daemon ran in it */
export function recordedPosture(stateDir: string): EnvPosture {
  const path = join(stateDir, 'posture');
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw usageError(`cannot read the posture of ${stateDir}: ${whyFile(error)}`, HINT);
  }
  const posture = POSTURES.find((known) => known === text);
  if (posture === undefined) throw usageError(`${path} names no posture`, HINT);
  return posture;
}

/** What is on record so far. @throws WardenError invalid_request where the file is there and holds something else */
export function readPromotions(stateDir: string): readonly Promotion[] {
  const path = join(stateDir, PROMOTIONS_FILE);
  if (!existsSync(path)) return [];
  const records = parsePromotions(readBounded(path, 'the promotions', MAX_PROMOTIONS_BYTES).toString('utf8'));
  if (records === null) throw usageError(`${path} is no file of promotions`, 'move it away after you looked into it');
  return records;
}
