import type { Fields, Wanted } from './desired.ts';

/** What OpenBao has in a thing's place. Null: nothing. */
export type Present = Readonly<Record<string, unknown>> | null;

export interface Difference {
  readonly field: string;
  readonly is: string;
  readonly want: string;
}

export interface Change {
  readonly wanted: Wanted;
  /** `role ssh/roles/agt`, for people. */
  readonly what: string;
  /** `conflict`: something else is there, and it is not ours to remove. */
  readonly action: 'create' | 'change' | 'keep' | 'conflict';
  readonly differences: readonly Difference[];
}

/** Holds what is there against what is wanted. */
export function compare(wanted: Wanted, present: Present): Change {
  const what = nameOf(wanted);
  if (present === null) return { wanted, what, action: 'create', differences: [] };
  switch (wanted.kind) {
    case 'engine':
    case 'login': {
      if (present.type === wanted.type) return { wanted, what, action: 'keep', differences: [] };
      const difference = { field: 'type', is: String(present.type), want: wanted.type };
      return { wanted, what, action: 'conflict', differences: [difference] };
    }
    case 'ca':
      // There is one: whoever trusts it goes on to, and a second would become the default at once.
      return { wanted, what, action: 'keep', differences: [] };
    case 'policy': {
      const same = String(present.policy).trim() === wanted.text.trim();
      const differences = same ? [] : [{ field: 'policy', is: 'other rules', want: wanted.text.trim() }];
      return { wanted, what, action: same ? 'keep' : 'change', differences };
    }
    case 'role':
    case 'approle': {
      const differences = fieldDifferences(wanted.fields, present);
      return { wanted, what, action: differences.length === 0 ? 'keep' : 'change', differences };
    }
  }
}

function nameOf(wanted: Wanted): string {
  switch (wanted.kind) {
    case 'engine':
      return `${wanted.type} engine at ${wanted.mount}/`;
    case 'ca':
      return `CA key of ${wanted.mount}/`;
    case 'role':
      return `role ${wanted.mount}/roles/${wanted.role}`;
    case 'policy':
      return `policy ${wanted.name}`;
    case 'login':
      return `login method ${wanted.type} at auth/${wanted.mount}/`;
    case 'approle':
      return `AppRole auth/${wanted.mount}/role/${wanted.role}`;
  }
}

function fieldDifferences(fields: Fields, present: Readonly<Record<string, unknown>>): Difference[] {
  return Object.entries(fields).flatMap(([field, value]) => {
    const want = canonical(value);
    const is = canonical(present[field]);
    return is === want ? [] : [{ field, is, want }];
  });
}

/** One text for each value; lists of names are sets. */
function canonical(value: unknown): string {
  if (value === undefined || value === null) return 'unset';
  if (typeof value === 'string') return value === '' ? 'none' : value.split(',').sort().join(',');
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(String).sort().join(',');
  if (typeof value !== 'object') return String(value);
  return Object.keys(value).length === 0 ? 'none' : JSON.stringify(value);
}
