import { describe, expect, it } from 'vitest';
import type { Actor } from '../../src/inventory/actor.ts';
import { type ScorecardInput, scorecard } from '../../src/inventory/scorecard.ts';
import { anActor, readInventory } from './read-inventory.ts';

const ceilingsSeconds = { adm: 48 * 3600, agt: 24 * 3600, atm: 8 * 3600 };
const run = (actors: readonly Actor[], over: Partial<ScorecardInput> = {}) =>
  scorecard({ actors, ceilingsSeconds, usedActors: null, drift: null, ...over });
const options = anActor('agt-a').options;

describe('warden inventory scorecard', () => {
  it('finds nothing in a sound inventory, whatever the ledger or registry would say', () => {
    expect(run([anActor('agt-a'), anActor('adm-a', { type: 'adm' })])).toEqual({ exit: 0, findings: [] });
    expect(run([])).toEqual({ exit: 0, findings: [] });
    expect(run([anActor('agt-a')], { usedActors: new Set(['agt-a']), drift: [] })).toEqual({ exit: 0, findings: [] });
  });

  it.each<[string, Actor[], string, string, string, string]>([
    [
      'a name of another type',
      [anActor('adm-x', { type: 'agt', principals: ['p'] })],
      'error',
      'actor_name',
      'adm-x',
      'actor adm-x is not named agt-… in lower-case letters, digits, dots, dashes and underscores',
    ],
    [
      'a name in capitals',
      [anActor('agt-X', { principals: ['p'] })],
      'error',
      'actor_name',
      'agt-X',
      'actor agt-X is not named agt-… in lower-case letters, digits, dots, dashes and underscores',
    ],
    [
      'a principal named for another type',
      [anActor('agt-x', { principals: ['adm-full'] })],
      'warning',
      'principal_named_for_another_type',
      'agt-x',
      'actor agt-x of type agt has the principal adm-full, which is named for type adm',
    ],
    [
      'a principal with a comma',
      [anActor('agt-x', { principals: ['a,b'] })],
      'error',
      'principal_name',
      'agt-x',
      'actor agt-x has a principal that is not printable ASCII without comma and space',
    ],
    [
      'a maximum above the ceiling',
      [anActor('atm-x', { type: 'atm', maxTtlSeconds: 9 * 3600 })],
      'error',
      'max_ttl_above_ceiling',
      'atm-x',
      'actor atm-x: max_ttl_hours 9 is above the ceiling of 8 h for atm',
    ],
    [
      'a default above the maximum',
      [anActor('agt-x', { ttlSeconds: 5400, maxTtlSeconds: 3600 })],
      'error',
      'ttl_above_max',
      'agt-x',
      'actor agt-x: ttl_hours 1.5 is above max_ttl_hours 1',
    ],
    [
      'a default of the whole ceiling',
      [anActor('atm-x', { type: 'atm', ttlSeconds: 8 * 3600 })],
      'warning',
      'ttl_at_ceiling',
      'atm-x',
      'actor atm-x: every certificate lasts the whole ceiling of 8 h by default',
    ],
    [
      'no callers',
      [anActor('agt-x', { callers: null })],
      'warning',
      'actor_without_callers',
      'agt-x',
      "actor agt-x has no callers: every program of the daemon's own uid may ask for it",
    ],
    [
      'an empty list of callers',
      [anActor('agt-x', { callers: [] })],
      'warning',
      'actor_without_any_caller',
      'agt-x',
      'actor agt-x has an empty list of callers: nobody can ask for it',
    ],
    [
      'forwarding from anywhere',
      [anActor('agt-x', { options: { ...options, extensions: ['permit-agent-forwarding', 'permit-pty'] } })],
      'warning',
      'forwarding_without_source_address',
      'agt-x',
      'actor agt-x may forward (permit-agent-forwarding) from any address',
    ],
    [
      'a principal of a person and a program',
      [anActor('agt-x', { principals: ['deploy'] }), anActor('adm-x', { type: 'adm', principals: ['deploy'] })],
      'error',
      'principal_shared_across_types',
      'deploy',
      'principal deploy is shared across types: adm-x, agt-x',
    ],
  ])('finds %s', (_name, actors, severity, rule, about, message) => {
    const report = run(actors);
    expect(report.exit).toBe(1);
    expect(report.findings.map(({ mend, ...rest }) => [rest, mend !== ''])).toEqual([
      [{ severity, rule, about, message }, true],
    ]);
  });

  it('leaves forwarding within a source address and principals within a type alone', () => {
    const within = { ...options, sourceAddress: '10.0.0.0/8', extensions: ['permit-port-forwarding'] };
    const actors = [
      anActor('agt-a', { principals: ['deploy'], options: within }),
      anActor('agt-b', { principals: ['deploy'] }),
    ];
    expect(run(actors)).toEqual({ exit: 0, findings: [] });
  });

  it('finds actors that the ledger never saw, only where there is a ledger', () => {
    const actors = [anActor('agt-b'), anActor('agt-a')];
    expect(run(actors).exit).toBe(0);
    expect(run(actors, { usedActors: new Set(['agt-b', 'agt-gone']) }).findings).toMatchObject([
      { rule: 'actor_unused', about: 'agt-a' },
    ]);
    expect(run(actors, { usedActors: new Set() }).findings.map((finding) => finding.about)).toEqual(['agt-a', 'agt-b']);
  });

  it('passes the drift of the registry on', () => {
    const drift = [
      { severity: 'error' as const, rule: 'registry_actor_missing', about: 'agt-a', message: 'm', mend: 'd' },
    ];
    expect(run([anActor('agt-a')], { drift })).toEqual({ exit: 1, findings: drift });
  });

  it('says the same of the same inventory in any order', () => {
    const actors = readInventory('flex-auth/production_inventory.yaml');
    const report = run(actors);
    expect(run([...actors].reverse())).toEqual(report);
    expect(report.findings.map((finding) => `${finding.about} ${finding.rule}`)).toEqual([
      'adm-example actor_without_callers',
      'adm-example forwarding_without_source_address',
      'agt-codex-interhub-bootstrap actor_without_callers',
      'agt-state-hub-bridge actor_without_callers',
      'atm-backup-daily actor_without_callers',
    ]);
  });
});
