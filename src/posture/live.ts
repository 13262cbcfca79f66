import type { EnvPosture } from '../kernel/posture.ts';
import type { Check } from './check.ts';
import type { Backend, Unseal } from './descriptor.ts';
import type { Environment } from './manifest.ts';

/** What a store says of itself. */
export interface StoreFacts {
  readonly sealType: string;
  readonly threshold: number;
  readonly shares: number;
  readonly storage: string;
  readonly auditDevices: readonly string[];
  readonly mounts: readonly string[];
}

export interface LiveFacts {
  /** Of the running daemon. */
  readonly posture: EnvPosture | string;
  readonly store: StoreFacts;
  /** Mounts that the daemon's config needs there: of the SSH engine, and of routes. */
  readonly neededMounts: readonly string[];
}

/** Does what runs agree with what the manifest says of its environment? What can't be seen from outside is not judged. */
export function checkLive(
  environment: Environment,
  index: number,
  { posture, store, neededMounts }: LiveFacts,
): Check[] {
  const about = `environment ${environment.id}`;
  const at = (key: string): Check['path'] => ['environments', index, key];
  const backend = backendOf(store);
  const unseals = unsealsOf(store);
  const audited = store.auditDevices.length > 0;
  const missing = neededMounts.filter((mount) => !store.mounts.includes(mount));
  const said = 'make the store what the manifest says of it, or the manifest what the store is';
  return [
    {
      rule: 'live_daemon',
      about,
      path: at('posture'),
      held: posture === environment.posture,
      message: `the daemon runs in posture ${posture}, and the environment is ${environment.posture}`,
      mend: 'judge the environment that the daemon serves: --environment ID',
    },
    {
      rule: 'live_backend',
      about,
      path: at('backend'),
      held: environment.backend === backend,
      message: `the store is ${backend} (storage ${store.storage}), and the manifest says ${environment.backend}`,
      mend: said,
    },
    {
      rule: 'live_unseal',
      about,
      path: at('unseal'),
      held: unseals.includes(environment.unseal),
      message: `the store is unsealed by ${unsealWords(store)}, and the manifest says ${environment.unseal}`,
      mend: said,
    },
    {
      rule: 'live_audit',
      about,
      path: ['environments', index, 'audit', 'level'],
      held: audited || environment.audit.level === 'optional',
      message: audited
        ? `the store has audit devices: ${store.auditDevices.join(', ')}`
        : `the store has no audit device, and the manifest says audit is ${environment.audit.level}`,
      mend: 'enable an audit device, and ship what it writes to another place: bao audit enable file file_path=FILE',
    },
    {
      rule: 'live_mounts',
      about,
      path: at('backend'),
      held: missing.length === 0,
      message:
        missing.length === 0
          ? 'the store has every mount that the daemon needs'
          : `the store lacks the mounts that the daemon needs: ${missing.join(', ')}`,
      mend: 'enable the engine (the SSH one: warden openbao setup), or mend openbao.ssh.mount or the location of the route',
    },
  ];
}

/** A server that forgets all when it stops is one for development, whatever it is called. */
function backendOf({ storage }: StoreFacts): Backend {
  return storage === 'inmem' ? 'openbao-dev' : 'openbao-sealed';
}

/** A dev server has one key share, and holds it itself: both words fit it. */
function unsealsOf({ sealType, threshold, shares, storage }: StoreFacts): readonly Unseal[] {
  if (sealType !== 'shamir') return ['auto'];
  if (shares === 1) return storage === 'inmem' ? ['single-key', 'auto'] : ['single-key'];
  return threshold === 3 && shares === 5 ? ['shamir-3-of-5'] : [];
}

function unsealWords({ sealType, threshold, shares }: StoreFacts): string {
  return sealType === 'shamir' ? `shamir ${threshold} of ${shares}` : sealType;
}
