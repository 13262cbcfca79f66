import { expect, test } from 'vitest';
import { hintOf } from '../../client/reach-daemon.ts';

const of = (...faults: Parameters<typeof hintOf>[0][number]['fault'][]) => hintOf(faults.map((fault) => ({ fault })));

test.each([
  [
    'their own is missing and the machine’s is closed: start one or join the other',
    of('missing', 'no_permission'),
    /^start your own .* or join the group/,
  ],
  ['the one that was named is closed: join its group', of('no_permission'), /^join the socket's group/],
  ['their own is closed: that is what is to be mended', of('no_permission', 'missing'), /^join the socket's group/],
  ['their own does not answer in time', of('timeout', 'no_permission'), /^see the log of the daemon/],
])('%s', (_, hint, says) => {
  expect(hint).toMatch(says);
});

test.each([
  ['both are missing', of('missing', 'missing')],
  ['nobody listens', of('missing', 'nobody_listens')],
  ['nothing was tried', of()],
])('%s: the usual hint', (_, hint) => {
  expect(hint).toBeUndefined();
});
