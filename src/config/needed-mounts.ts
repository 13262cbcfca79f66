import { locationFor } from '../access/route.ts';
import type { Snapshot } from './snapshot.ts';

/** The engines that a config leads to at OpenBao, sorted, each once: of signing, and of routes in its own posture. */
export function neededMounts({ routes, settings }: Pick<Snapshot, 'routes' | 'settings'>): readonly string[] {
  const { openbao = null, backend, posture } = settings;
  const signing = openbao !== null && backend === 'openbao' ? [openbao.ssh.mount] : [];
  const places = [...routes.values()].map((route) => locationFor(route, posture));
  return [...new Set([...signing, ...places.flatMap((place) => (place === null ? [] : [place.mount]))])].sort();
}
