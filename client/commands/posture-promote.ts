import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { EnvPosture } from '../../src/kernel/posture.ts';
import type { Environment, Manifest } from '../../src/posture/manifest.ts';
import { ceremonySteps, type Step } from '../../src/posture/promotion.ts';
import {
  findPromotion,
  formatPromotions,
  PROMOTIONS_FILE,
  type Promotion,
  parsePromotions,
} from '../../src/posture/promotion-record.ts';
import { quoted, usageError } from '../args.ts';
import { withQuestions } from '../ask.ts';
import { writeAtomically } from '../atomic-file.ts';
import type { Invocation } from '../invocation.ts';
import { clean, type Output } from '../output.ts';
import { stateFolder } from '../paths.ts';
import { drillRules, loadManifest } from '../posture-manifest.ts';
import { required } from '../posture-options.ts';
import { readPromotions, recordedPosture } from '../posture-state.ts';

const TARGETS = ['test', 'prod'] as const;

/**
 * The ceremony before a state folder changes its posture: 0 every step holds (with --record: and is on record),
 * 1 some do not, 2 unusable. Recording wants a person at a terminal.
 */
export async function run({ args, out, env }: Invocation): Promise<number> {
  const to = required(args, 'to', TARGETS);
  const stateDir = resolve(args.string('state') || stateFolder(env));
  const from = recordedPosture(stateDir);
  const record = args.flag('record');
  const drills = drillRules(args);
  const file = args.positional(0);
  const loaded = file === '' ? null : judgedManifest(file);
  const signedOffBy = named(args.string('signed-off-by'), '--signed-off-by');
  const references = args.strings('reference').map((text) => named(text, '--reference') ?? '');
  if (references.length > 32) throw usageError('more than 32 references', 'name the documents that hold the others');
  const environment = loaded === null ? null : pickEnvironment(loaded.manifest, to, args.string('environment'));
  const steps = ceremonySteps({
    from,
    to,
    manifest: loaded?.manifest ?? null,
    environment,
    drills,
    signedOffBy,
    references,
  });
  const complete = steps.every(({ held }) => held === true);
  if (record && complete) requireTerminal();
  const shown = { from, to, steps, complete, stateDir };
  // The list comes first: nobody signs for what they have not seen.
  if (!out.json) printSteps(shown, out);
  if (record && complete && loaded !== null && environment !== null && signedOffBy !== null) {
    await confirm(environment, to);
    const finished: Promotion = {
      from,
      to,
      environment: environment.id,
      manifest_sha256: createHash('sha256').update(loaded.bytes).digest('hex'),
      steps: steps.map(({ id, message }) => ({ id, held: true, message })),
      signed_off_by: signedOffBy,
      references,
      finished_at: new Date(drills.now).toISOString(),
    };
    write(stateDir, finished);
  }
  const recorded = record && complete;
  if (out.json) out.object({ from, to, environment: environment?.id, complete, recorded, steps });
  else printOutcome(shown, recorded, out);
  return complete ? 0 : 1;
}

function judgedManifest(file: string): { readonly manifest: Manifest; readonly bytes: Buffer } {
  const { bytes, read } = loadManifest(file);
  if (read.manifest !== null) return { manifest: read.manifest, bytes };
  const [first] = read.problems;
  throw usageError(
    `the manifest is unusable at line ${first?.line ?? 0}: ${first?.message ?? 'nothing could be read'}`,
    `see them all: warden posture check ${file}`,
  );
}

/** The environment to judge; null where the manifest has none of the tier. @throws WardenError where it must be said which */
function pickEnvironment({ environments }: Manifest, to: EnvPosture, name: string | undefined): Environment | null {
  const ofTier = environments.filter(({ posture }) => posture === to);
  if (name !== undefined) {
    const found = ofTier.find(({ id }) => id === name);
    if (found === undefined) throw usageError(`the manifest has no ${to} environment ${quoted(name)}`);
    return found;
  }
  if (ofTier.length > 1) {
    throw usageError(
      `the manifest has ${ofTier.length} ${to} environments`,
      `say which: --environment ${ofTier.map(({ id }) => id).join(' | ')}`,
    );
  }
  return ofTier[0] ?? null;
}

function named(text: string | undefined, option: string): string | null {
  if (text === undefined) return null;
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.length > 512 || clean(trimmed) !== trimmed) {
    throw usageError(`${option} must be one line of 1 to 512 characters`);
  }
  return trimmed;
}

function requireTerminal(): void {
  if (!process.stdin.isTTY) {
    throw usageError(
      'a promotion is recorded by a person at a terminal, and stdin is none',
      'run it in a terminal yourself',
    );
  }
}

/** A program can pass options; the sign-off is a person's, who names what is being promoted. */
async function confirm(environment: Environment, to: EnvPosture): Promise<void> {
  const typed = await withQuestions((ask) => ask(`Type ${environment.id} to put the promotion to ${to} on record: `));
  if (typed !== environment.id) throw usageError('not confirmed: nothing was recorded', `type ${environment.id}`);
}

function write(stateDir: string, finished: Promotion): void {
  const before = readPromotions(stateDir);
  const text = formatPromotions([...before, finished]);
  // What is written is read by the daemon under the same rules: better no record than one that it refuses.
  const read = parsePromotions(text);
  if (read === null || findPromotion(read, finished.from, finished.to) === null) {
    throw new Error('the promotion does not read back');
  }
  // Evidence only, and root may write it for a daemon of another user: readable to all who may enter the folder.
  writeAtomically({ path: join(stateDir, PROMOTIONS_FILE), bytes: text, mode: 0o644, replace: true, durable: true });
}

interface Shown {
  readonly from: EnvPosture;
  readonly to: EnvPosture;
  readonly steps: readonly Step[];
  readonly complete: boolean;
  readonly stateDir: string;
}

function printSteps({ from, to, steps, stateDir }: Shown, out: Output): void {
  out.line({ text: `promotion from ${from} to ${to}`, style: 'bold' }, ` of ${stateDir}`);
  for (const { what, held, message } of steps) {
    const style = held === true ? 'green' : held === false ? 'red' : 'yellow';
    const mark = held === true ? '[x]' : held === false ? '[ ]' : '[?]';
    out.line('  ', { text: mark, style }, ` ${what}: ${message}`);
  }
}

function printOutcome({ to, complete, stateDir }: Shown, recorded: boolean, out: Output): void {
  if (!complete) out.note('not finished: a step that does not hold stops the promotion, and nothing was recorded');
  else if (recorded) {
    out.note(`on record in ${join(stateDir, PROMOTIONS_FILE)}`);
    out.note(
      `  do: say posture: ${to} in warden.yaml, with the CA, store and policy of that tier, and restart the daemon`,
    );
  } else out.note('every step holds; put it on record with --record, at a terminal');
}
