import type { Check } from './check.ts';
import { type PostureRow, postureRow } from './descriptor.ts';
import type { Environment } from './manifest.ts';
import type { RuleId } from './rules.ts';

export interface DrillRules {
  /** Now, in milliseconds since the Unix epoch. */
  readonly now: number;
  readonly restoreDrillMaxAgeDays: number;
  readonly breakGlassDrillMaxAgeDays: number;
}

const DAY_MS = 86_400_000;

/** What its posture demands of one environment. Drills and shipping are asked of prod alone, so they have no check elsewhere. */
export function checkEnvironment(environment: Environment, index: number, drills: DrillRules): Check[] {
  const row = postureRow(environment.posture);
  const about = `environment ${environment.id}`;
  const at = ['environments', index] as const;
  const { audit } = environment;
  const choice = <Value extends string>(
    rule: RuleId,
    key: string,
    value: Value,
    allowed: readonly Value[],
    path: readonly string[] = [key],
  ): Check => {
    const held = allowed.includes(value);
    const list = allowed.join(' or ');
    return {
      rule,
      about,
      path: [...at, ...path],
      held,
      message: held
        ? `${key} is ${value}, as posture ${row.id} permits`
        : `${key} is ${value}, and posture ${row.id} permits ${list} only`,
      mend: `make the environment so that ${key} is ${list}; naming it so does not change what it is`,
    };
  };
  return [
    choice('environment_backend', 'backend', environment.backend, row.backend),
    choice('environment_unseal', 'unseal', environment.unseal, row.unseal),
    choice('environment_real_values', 'real_values', environment.real_values, row.real_values),
    choice('environment_reuse', 'reuse', environment.reuse, row.reuse),
    choice('environment_real_data', 'real_data', environment.real_data, row.real_data),
    choice('environment_audit', 'audit level', audit.level, row.audit_level, ['audit', 'level']),
    ...breakGlass(),
    ...shipped(),
    ...drill('restore_drill', 'last_restore_drill', 'restore drill', row, drills.restoreDrillMaxAgeDays),
    ...drill('break_glass_drill', 'last_break_glass_drill', 'break-glass drill', row, drills.breakGlassDrillMaxAgeDays),
  ];

  function breakGlass(): Check[] {
    if (row.break_glass !== 'required') return [];
    const held = environment.break_glass;
    return [
      {
        rule: 'environment_break_glass',
        about,
        path: [...at, 'break_glass'],
        held,
        message: held ? 'break-glass is there' : `there is no break-glass, and posture ${row.id} needs it`,
        mend: 'set break-glass up as your custody documents say, drill it, then say break_glass: true',
      },
    ];
  }

  function shipped(): Check[] {
    if (!row.evidence.audit_shipped) return [];
    const held = audit.shipped_to !== null;
    return [
      {
        rule: 'audit_shipped',
        about,
        path: [...at, 'audit', 'shipped_to'],
        held,
        message: held ? 'the audit log is shipped to another place' : 'nothing says where the audit log is shipped to',
        mend: 'ship the audit log off the machine that writes it, and name the place in audit.shipped_to',
      },
    ];
  }

  function drill(
    rule: RuleId,
    key: 'last_restore_drill' | 'last_break_glass_drill',
    what: string,
    { evidence }: PostureRow,
    maxAgeDays: number,
  ): Check[] {
    const asked =
      rule === 'restore_drill' ? evidence.restore_drill_max_age_days : evidence.break_glass_drill_max_age_days;
    if (asked === null) return [];
    const { held, message } = judgeDrill(audit[key], what, maxAgeDays, drills.now);
    return [
      {
        rule,
        about,
        path: [...at, 'audit', key],
        held,
        message,
        mend: `hold a ${what} and give its day in audit.${key}: 2026-09-01`,
      },
    ];
  }
}

function judgeDrill(
  day: string | null,
  what: string,
  maxAgeDays: number,
  now: number,
): { held: boolean; message: string } {
  if (day === null) return { held: false, message: `no ${what} is on record` };
  const since = now - Date.parse(`${day}T00:00:00Z`);
  // Where the day was written it may be tomorrow already.
  if (since < -DAY_MS) return { held: false, message: `the last ${what} lies in the future (${day})` };
  const age = Math.max(0, Math.floor(since / DAY_MS));
  const ago = age === 1 ? '1 day ago' : `${age} days ago`;
  return age <= maxAgeDays
    ? { held: true, message: `the last ${what} was ${ago}, within ${maxAgeDays} days` }
    : { held: false, message: `the last ${what} was ${ago}, and ${maxAgeDays} days are the most` };
}
