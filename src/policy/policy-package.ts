import { WardenError } from '../kernel/errors.ts';

/** Bytes of UTF-8 above which a package is refused unread. */
export const MAX_POLICY_PACKAGE_BYTES = 1024 * 1024;

/**
 * The Cedar rules of a policy package: the text of all ```cedar fences of a Markdown document, in order, with
 * every other line left blank so that the line numbers in Cedar's messages are those of the document.
 * @throws WardenError config_invalid where no fence is there or one is never closed
 */
export function readPolicyPackage(markdown: string): string {
  if (Buffer.byteLength(markdown) > MAX_POLICY_PACKAGE_BYTES) throw invalid('the policy package is larger than 1 MiB');
  const rules: string[] = [];
  let fence: { readonly mark: string; readonly cedar: boolean; readonly line: number } | null = null;
  let found = false;
  for (const [index, line] of markdown.split(/\r?\n/).entries()) {
    const mark = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)\s*$/.exec(line);
    if (fence === null) {
      if (mark !== null) fence = { mark: mark[1] ?? '', cedar: mark[2] === 'cedar', line: index + 1 };
      found ||= fence?.cedar === true;
      rules.push('');
    } else if (mark !== null && mark[2] === '' && closes(fence.mark, mark[1] ?? '')) {
      fence = null;
      rules.push('');
    } else {
      rules.push(fence.cedar ? line : '');
    }
  }
  if (fence !== null) throw invalid(`the fence opened on line ${fence.line} of the policy package is never closed`);
  if (!found) throw invalid('the policy package holds no ```cedar block');
  return rules.join('\n');
}

function closes(opened: string, mark: string): boolean {
  return mark[0] === opened[0] && mark.length >= opened.length;
}

function invalid(message: string): WardenError {
  return new WardenError('config_invalid', message, {
    hint: 'write the rules into ```cedar fences, as examples/flex-auth/policy_package.md does',
  });
}
