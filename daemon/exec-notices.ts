import type { Route } from '../src/access/route.ts';
import type { Snapshot } from '../src/config/snapshot.ts';

/** What the catalogue leaves open for commands: in prod, and of the caller's PATH in test as well. */
export function execNotices({
  settings: { posture, policy },
  routes,
  actors,
}: Pick<Snapshot, 'settings' | 'routes' | 'actors'>): string[] {
  if (posture === 'dev') return [];
  const execs = [...routes.values()].filter(({ execCapable }) => execCapable);
  const unattended = (route: Route): boolean => route.actors.some((name) => actors.get(name)?.type !== 'adm');
  const steered = execs.filter((route) => route.commands !== null && !route.pristine && unattended(route));
  const notices =
    steered.length === 0
      ? []
      : [
          `${posture}: listed commands find what they start by name on the caller's PATH with ${ids(steered)}: no pristine`,
        ];
  if (posture !== 'prod') return notices;
  const any = execs.filter(({ commands, allowAnyCommand }) => commands === null && allowAnyCommand);
  if (any.length > 0) notices.push(`prod: any command may run with ${ids(any)}: allow_any_command`);
  if (policy.enabled && execs.length > 0 && !policy.gate.includes('exec')) {
    notices.push('prod: the decision point is not asked before a command gets a secret: `exec` is not in policy.gate');
  }
  return notices;
}

function ids(routes: readonly Route[]): string {
  return routes.map(({ id }) => id).join(', ');
}
