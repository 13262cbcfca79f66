import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { Tmux } from '../support/tmux.ts';
import { execDaemon } from './support.ts';

const WITH = '$EXEC --route plain --';

let daemon: RunningDaemon;
let terminal: Tmux;
let folder: string;
beforeAll(async () => {
  daemon = await execDaemon();
  folder = mkdtempSync(join(tmpdir(), 'warden-jobs-'));
  writeFileSync(join(folder, 'loop.py'), LOOP);
  terminal = new Tmux(
    { columns: 100, rows: 30 },
    {
      WARDEN_SOCKET: daemon.socket,
      EXEC: `${process.execPath} -- ${builtPrograms().warden} exec`,
    },
  );
  await terminal.shows(/[#$]$/m);
  terminal.type(`clear; exec env PS1='jobs> ' bash --norc --noprofile`);
  await terminal.shows(/^jobs>$/m);
});
afterAll(async () => {
  await terminal?.close();
  await daemon?.stop();
  daemon?.house.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

const key = (name: string): void => terminal.type(name, { enter: false });
/** Types into the shell on a clean screen. */
const type = (line: string): void => terminal.type(`clear; ${line}`);

let asked = 0;
/** That the shell has the terminal, as it was: it reads a line, edits it, and its words are echoed once. */
async function shellAnswers(): Promise<void> {
  asked += 1;
  type(`echo "it $((${asked} * 111)) is"; stty -a | tr ' ' '\\n' | grep -cxE 'icanon|echo|isig|opost|onlcr|icrnl'`);
  await terminal.shows(new RegExp(`^it ${asked * 111} is\\n6\\njobs>$`, 'm'));
}

async function stopped(): Promise<void> {
  key('C-z');
  await terminal.shows(/Stopped/);
  await shellAnswers();
}

/** Continues the job for the last time; `ends` waits for its exit code. */
const fg = (): void => type('fg; echo "code $?"');
const ends = (code: number): Promise<string> => terminal.shows(new RegExp(`code ${code}\\njobs>$`, 'm'));

/**
 * Says that it runs, and each time that it goes on; ends with 9 for Ctrl-C. No shell: one that Ctrl-Z meets between vfork
 * and the start of a program does not stop itself.
 */
const LOOP = `import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(9))
signal.signal(signal.SIGCONT, lambda *_: print('went on', flush=True))
print('runs', flush=True)
while True: signal.pause()
`;
const loop = (): string => `python3 ${join(folder, 'loop.py')}`;

describe('Ctrl-Z and fg on a command at a terminal, of which bash is the shell', () => {
  test('stopped and continued again and again, with its own exit code in the end', async () => {
    type(`${WITH} ${loop()}`);
    await terminal.shows(/^runs$/m);
    for (let times = 0; times < 3; times++) {
      await stopped();
      type('fg');
      await terminal.shows(/^went on$/m);
    }
    await stopped();
    fg();
    await terminal.shows(/^went on$/m);
    key('C-c');
    await ends(9);
    await shellAnswers();
  });

  test('in the background it runs on, and has the terminal again as soon as it is in the foreground', async () => {
    type(`${WITH} ${loop()}`);
    await terminal.shows(/^runs$/m);
    await stopped();
    type('bg');
    await terminal.shows(/went on$/m);
    await shellAnswers();
    // By a signal from elsewhere, as by the key.
    type('kill -TSTP %1; until jobs | grep -q Stopped; do sleep 0.05; done; jobs');
    await terminal.shows(/^\[1\]\+ +Stopped/m);
    await shellAnswers();
    type('kill -CONT %1');
    await terminal.shows(/went on$/m);
    await shellAnswers();
    fg();
    await terminal.shows(/^\$EXEC/m);
    // Nobody echoes the key but the command's own terminal.
    key('C-c');
    await ends(9);
    await shellAnswers();
  });

  test('sleep, which hears of nothing', async () => {
    type(`${WITH} sh -c 'echo sleeps; exec sleep 1000'`);
    await terminal.shows(/^sleeps$/m);
    await stopped();
    type('kill %1; fg; echo "code $?"');
    await ends(143);
  });

  test('vim: its screen goes and comes back, in the size that the window has by then', async () => {
    const file = join(folder, 'edited');
    type(`${WITH} vim.tiny -u NONE ${file}`);
    await terminal.shows(/^~$/m);
    terminal.type('ihello', { enter: false });
    key('Escape');
    await terminal.shows(/^hello\n~/m);
    await stopped();
    terminal.resize(80, 20);
    type('fg');
    await terminal.shows(/^hello\n(?:~\n){18}/m);
    terminal.type(':stop');
    await terminal.shows(/Stopped/);
    await shellAnswers();
    terminal.resize(100, 30);
    fg();
    await terminal.shows(/^hello\n(?:~\n){28}/m);
    terminal.type('A from vim', { enter: false });
    key('Escape');
    terminal.type(':wq');
    await ends(0);
    await shellAnswers();
    expect(readFileSync(file, 'utf8')).toBe('hello from vim\n');
  });

  test('less', async () => {
    const file = join(folder, 'lines');
    writeFileSync(file, Array.from({ length: 500 }, (_, i) => `line ${i + 1}\n`).join(''));
    type(`${WITH} less ${file}`);
    await terminal.shows(/^line 29$/m);
    await stopped();
    fg();
    await terminal.shows(/^line 29$/m);
    key('G');
    await terminal.shows(/^line 500$/m);
    key('q');
    await ends(0);
    await shellAnswers();
  });

  test('a Python REPL, behind a shell that has no job control', async () => {
    type(`${WITH} sh -c 'python3 -q; exit 4'`);
    await terminal.shows(/^>>>$/m);
    terminal.type('x = 20');
    // What it has not read by then Ctrl-Z throws away, as at every terminal.
    await terminal.shows(/^>>> x = 20\n>>>$/m);
    await stopped();
    fg();
    await terminal.shows(/^\$EXEC/m);
    terminal.type('print("x is", x + 1)');
    await terminal.shows(/^x is 21$/m);
    key('C-d');
    await ends(4);
    await shellAnswers();
  });

  test('where no shell could continue it, it goes on at once', async () => {
    const through = join(folder, 'through');
    writeFileSync(through, `exec ${WITH} ${loop()}\n`);
    // A terminal of its own, in which nobody has job control.
    type(`script -qec 'exec sh ${through}' /dev/null; echo "code $?"`);
    await terminal.shows(/^runs$/m);
    key('C-z');
    await terminal.shows(/went on$/m);
    key('C-c');
    await ends(9);
    await shellAnswers();
  });
});
