import { isPrintable } from './key-line.ts';
import { WireError, WireReader, type WireWriter } from './wire.ts';

/** Name and value; the value is empty for options that only are or are not there. */
export type CertificateOption = readonly [name: string, value: string];

type OptionList = 'critical options' | 'extensions';

/** The critical options that sshd knows. One that it does not know makes it refuse the certificate. */
const CRITICAL_OPTIONS = ['force-command', 'source-address', 'verify-required'] as const;

const MAX_OPTIONS = 64;
const MAX_VALUE_BYTES = 8 * 1024;
/** What addr_match_cidr_list of sshd takes: addresses and CIDR blocks, no wildcards, no negation. */
const ADDRESS_LIST = /^[0-9a-fA-F.:]+(?:\/\d{1,3})?(?:,[0-9a-fA-F.:]+(?:\/\d{1,3})?)*$/;
const EXTENSION_NAME = /^[A-Za-z0-9-]{1,64}(?:@[A-Za-z0-9.-]{1,128})?$/;

/** Writes the options sorted by name. @throws WireError for what sshd would not understand or would overlook */
export function writeOptions(writer: WireWriter, options: readonly CertificateOption[], list: OptionList): void {
  if (options.length > MAX_OPTIONS) throw new WireError(`there are more than ${MAX_OPTIONS} ${list}`);
  const sorted = options.length < 2 ? options : options.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let previous: string | null = null;
  for (const [name, value] of sorted) {
    if (name === previous) throw new WireError(`${name} stands twice among the ${list}`);
    if (list === 'critical options') checkCritical(name, value);
    else checkExtension(name, value);
    previous = name;
  }
  writer.nested((inner) => {
    for (const [name, value] of sorted) {
      inner.string(name);
      // A value is a string inside the data's string; no value is empty data, not an empty string inside it.
      if (value === '') inner.uint32(0);
      else inner.nested((data) => data.string(value));
    }
  });
}

/** Reads options as OpenSSH and Go write them. @throws WireError where they are not sorted, unique and well-formed */
export function readOptions(reader: WireReader, list: OptionList): CertificateOption[] {
  const inner = new WireReader(reader.string(`the ${list}`));
  const options: CertificateOption[] = [];
  let previous: string | null = null;
  while (inner.remaining > 0) {
    if (options.length === MAX_OPTIONS) throw new WireError(`there are more than ${MAX_OPTIONS} ${list}`);
    const name = inner.utf8(`a name among the ${list}`, 256);
    if (name === '' || !isPrintable(name)) throw new WireError(`a name among the ${list} is empty or not printable`);
    if (previous !== null && !inOrder(previous, name)) throw new WireError(`the ${list} are not sorted and unique`);
    const value = readValue(new WireReader(inner.string(`the data of a name among the ${list}`)), list);
    if (list === 'critical options') checkKnownCritical(name, value);
    options.push([name, value]);
    previous = name;
  }
  return options;
}

function readValue(data: WireReader, list: OptionList): string {
  if (data.remaining === 0) return '';
  const value = data.utf8(`a value among the ${list}`, MAX_VALUE_BYTES);
  data.end(`a value among the ${list}`);
  if (value === '') throw new WireError(`a value among the ${list} is an empty string where no data is meant`);
  return value;
}

function inOrder(before: string, after: string): boolean {
  return Buffer.compare(Buffer.from(before), Buffer.from(after)) < 0;
}

function checkCritical(name: string, value: string): void {
  if (!(CRITICAL_OPTIONS as readonly string[]).includes(name))
    throw new WireError('a critical option is none that sshd knows');
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES)
    throw new WireError(`${name} is longer than ${MAX_VALUE_BYTES} bytes`);
  checkKnownCritical(name, value);
  if (!isPrintable(value.replaceAll('\t', ' '))) throw new WireError(`${name} holds control or invisible characters`);
}

function checkKnownCritical(name: string, value: string): void {
  if (name === 'verify-required' && value !== '') throw new WireError('verify-required takes no value');
  if (name === 'force-command' && value === '') throw new WireError('force-command has no command');
  if (name === 'source-address' && !ADDRESS_LIST.test(value)) {
    throw new WireError('source-address is not a comma-separated list of addresses and CIDR blocks');
  }
}

function checkExtension(name: string, value: string): void {
  if (!EXTENSION_NAME.test(name))
    throw new WireError('an extension has a name of other characters than letters, digits and -');
  if (value !== '') throw new WireError(`the extension ${name} takes no value`);
  // sshd overlooks these among the extensions, and the limit that was meant would not hold.
  if ((CRITICAL_OPTIONS as readonly string[]).includes(name))
    throw new WireError(`${name} is a critical option, not an extension`);
}
