import { describe, expect, test } from 'vitest';
import { Output } from '../../client/output.ts';
import { reportError } from '../../client/report-error.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { RpcError } from '../../src/rpc/client/rpc-error.ts';

function report(error: unknown, json = false): { code: number; stdout: string; stderr: string } {
  const texts = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const out = new Output({ stdout: stream('stdout'), stderr: stream('stderr'), json, quiet: true, env: {} });
  return { code: reportError(error, out), ...texts };
}

describe('an error', () => {
  test.each<[string, unknown, number, string]>([
    [
      'of the daemon, with all that it told',
      new RpcError(7, 'policy_denied', 'the gate said no', {
        decisionId: 'd-1',
        ledgerSeq: '42',
        requestId: 'r-1',
        hint: 'ask',
      }),
      1,
      'warden: refused: the gate said no\n  why: policy_denied · decision d-1 · ledger 42 · request r-1\n  do: ask\n',
    ],
    [
      'over a limit says how long to wait',
      new RpcError(8, 'rate_limited', 'too many requests', { retryAfterMs: 1_500, hint: 'ask less often' }),
      1,
      'warden: refused: too many requests\n  why: rate_limited\n  do: wait 1.5 s, then ask again; ask less often\n',
    ],
    [
      'with a reason newer than this client takes its code from the gRPC status',
      new RpcError(14, 'moon_phase', 'not tonight'),
      4,
      'warden: unavailable: not tonight\n  why: moon_phase\n',
    ],
    [
      'that tries to draw on the terminal is shown as one line',
      new RpcError(7, 'policy_denied', 'no\u001b[2J\nwarden: done', { hint: 'a\r\nb' }),
      1,
      'warden: refused: no?[2J warden: done\n  why: policy_denied\n  do: a? b\n',
    ],
    [
      'of our own',
      new WardenError('invalid_request', 'that is wrong', { hint: 'do it right' }),
      2,
      'warden: usage: that is wrong\n  why: invalid_request\n  do: do it right\n',
    ],
    [
      'that nobody foresaw shows nothing of its text',
      new TypeError('secret of the caller'),
      5,
      'warden: internal: warden itself failed (TypeError)\n  why: internal\n  do: run it again with WARDEN_DEBUG=1 and report what it prints\n',
    ],
    [
      'of the system shows its code',
      Object.assign(new Error('open /secret'), { code: 'EMFILE' }),
      5,
      'warden: internal: warden itself failed (EMFILE)\n  why: internal\n  do: run it again with WARDEN_DEBUG=1 and report what it prints\n',
    ],
  ])('%s', (_name, error, code, stderr) => {
    expect(report(error)).toEqual({ code, stdout: '', stderr });
    const machine = report(error, true);
    expect(machine).toMatchObject({ code, stderr: '' });
    expect(Object.keys((JSON.parse(machine.stdout) as { error: object }).error)).toEqual(
      expect.arrayContaining(['kind', 'reason', 'message', 'hint']),
    );
  });
});
