import type { EnvironmentVariable, ExecReference } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';

/** What the daemon takes in one message is 256 KiB; the other fields may need the rest. */
const MAX_START_BYTES = 240 * 1024;

interface StartParts {
  readonly argv: readonly string[];
  readonly environment: readonly EnvironmentVariable[];
  readonly additions: readonly EnvironmentVariable[];
  readonly references: readonly ExecReference[];
}

interface Part {
  readonly what: string;
  readonly bytes: number;
  readonly mend: string;
}

/**
 * Before it is sent, since a message that is too large only tears the connection down.
 * @throws WardenError invalid_request; it names the sizes, the largest part, and how to do without
 */
export function checkStartSize(start: StartParts): void {
  const words = start.argv.map((word) => Buffer.byteLength(word) + 8);
  const sizes = (of: readonly EnvironmentVariable[]): number[] =>
    of.map(({ name, value }) => name.length + value.length + 16);
  const [own, added] = [sizes(start.environment), sizes(start.additions)];
  const referred = start.references.map(
    ({ variable, route, field }) => Buffer.byteLength(variable + route + field) + 16,
  );
  const parts: Part[] = [
    { what: 'arguments', bytes: sum(words), mend: 'hand what is long over on stdin or in a file' },
    { what: 'environment', bytes: sum(own), mend: `--pristine, or env -u ${largest(own, start.environment)}` },
    {
      what: 'added variables',
      bytes: sum(added) + sum(referred),
      mend: `add fewer or shorter ones; ${largest(added, start.additions)} is the largest`,
    },
  ];
  if (sum(parts.map(({ bytes }) => bytes)) <= MAX_START_BYTES) return;
  const [worst] = parts.toSorted((a, b) => b.bytes - a.bytes);
  const told = parts
    .filter(({ bytes }) => bytes > 0)
    .map(({ what, bytes }) => `${what} ${Math.ceil(bytes / 1024)} KiB`);
  throw usageError(`a command may have 240 KiB of arguments and environment in all: ${told.join(', ')}`, worst?.mend);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

/** The name of the largest; no value is ever shown. */
function largest(sizes: readonly number[], variables: readonly EnvironmentVariable[]): string {
  return variables[sizes.indexOf(Math.max(...sizes))]?.name.toString('latin1') ?? 'NAME';
}
