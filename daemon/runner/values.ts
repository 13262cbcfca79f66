import type { CommandStart, Delivery } from '../../src/access/command-runner.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import type { EnvValue, Launch } from './launch.ts';

const LOWEST = 3;
const HIGHEST = 63;

type Values = Pick<Launch, 'env' | 'stdin' | 'files' | 'descriptors'>;

/** The values of a command as bytes, which stay the secrets' own. @throws WardenError route_unusable | invalid_request */
export function revealed({ env, stdin, deliveries }: CommandStart): Values {
  return {
    env: new Map([...env].map(([name, value]) => [checkName(name), variable(name, value)])),
    stdin: stdin === 'caller' ? null : stdin.reveal(),
    files: new Map(deliveries.filter(isFile).map(({ variable, value }) => [checkName(variable), value.reveal()])),
    descriptors: new Map(
      deliveries.filter(isDescriptor).map(({ descriptor, value }) => [inRange(descriptor), value.reveal()]),
    ),
  };
}

const isFile = (delivery: Delivery) => delivery.kind === 'file';
const isDescriptor = (delivery: Delivery) => delivery.kind === 'fd';

function variable(name: string, value: CommandStart['env'] extends ReadonlyMap<string, infer V> ? V : never): EnvValue {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw unfit(name, 'holds a zero byte');
    return { text: value, secret: false };
  }
  const bytes = value.reveal();
  const text = bytes.toString('utf8');
  if (bytes.includes(0)) throw unfit(name, 'holds a zero byte');
  // Node hands environments over as UTF-8: anything else would arrive changed.
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw unfit(name, 'is not UTF-8');
  return { text, secret: true };
}

function unfit(name: string, why: string): WardenError {
  return new WardenError('route_unusable', `the value for the variable ${name} ${why}`, {
    hint: 'have the route inject it as a file, a descriptor or stdin',
  });
}

function checkName(name: string): string {
  if (name !== '' && !name.includes('=') && !name.includes('\0')) return name;
  throw new WardenError('invalid_request', 'a variable has no name, or one with "=" in it');
}

function inRange(descriptor: number): number {
  if (Number.isInteger(descriptor) && descriptor >= LOWEST && descriptor <= HIGHEST) return descriptor;
  throw new WardenError('route_unusable', `a value can be at descriptor ${LOWEST} to ${HIGHEST}, not ${descriptor}`);
}
