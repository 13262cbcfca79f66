import { usageError } from '../args.ts';

const BEGIN = '# begin warden ssh-config (warden ssh-config --uninstall takes this block away)';
const BEGIN_NEW =
  '# begin warden ssh-config (warden ssh-config --uninstall takes this block away, and the file, which is new)';
const END = '# end warden ssh-config';

/**
 * ~/.ssh/config with the Include at its top, where it holds for every host; null stands for no file. Texts are bytes as
 * latin1, so that what is not ours comes back as it was.
 * @throws WardenError invalid_request for half a block
 */
export function withInclude(text: string | null, included: string): string {
  const rest = withoutInclude(text);
  const isNew = rest === null;
  return `${isNew ? BEGIN_NEW : BEGIN}\nInclude ${included}\n${END}\n${rest ?? ''}`;
}

/** What was there before: null where the file itself was not, unless someone has written into it since. */
export function withoutInclude(text: string | null): string | null {
  if (text === null) return null;
  const match = /^(# begin warden ssh-config[^\n]*)\n/m.exec(text);
  if (match === null) return text;
  const end = text.indexOf(`\n${END}\n`, match.index);
  if (end === -1) {
    throw usageError(
      'a block of warden ssh-config in your ssh config has no end',
      `put "${END}" where it ends, or take the block out`,
    );
  }
  const rest = text.slice(0, match.index) + text.slice(end + END.length + 2);
  return rest === '' && match[1] === BEGIN_NEW ? null : rest;
}
