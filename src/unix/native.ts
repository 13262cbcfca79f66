import { createRequire } from 'node:module';
import { WardenError } from '../kernel/errors.ts';
import { bindCalls, type Koffi } from './native-calls.ts';
import type { Native } from './system-calls.ts';

let loaded: Native | null = null;

/** The bindings, loaded once. Throws `internal` with the mend where koffi is missing or does not fit this machine. */
export function native(): Native {
  loaded ??= openNative(() => createRequire(import.meta.url)('koffi') as Koffi);
  return loaded;
}

export function openNative(loadKoffi: () => Koffi): Native {
  if (process.platform !== 'linux' || ['ppc64', 'mips', 'mipsel'].includes(process.arch)) {
    throw new WardenError('internal', `callers can't be attested on ${process.platform} ${process.arch}`, {
      hint: 'run wardend on Linux on x86-64, arm64, riscv64 or s390x',
    });
  }
  try {
    return bindCalls(loadKoffi());
  } catch (cause) {
    throw new WardenError('internal', 'the native module koffi could not be loaded', {
      hint: 'install the dependencies again for this machine: npm ci (koffi comes prebuilt, as an optional dependency)',
      cause,
    });
  }
}
