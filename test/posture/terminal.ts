import { execFileSync } from 'node:child_process';
import { builtPrograms } from '../support/built.ts';

/** Answers each prompt that ends in `: ` with the next line, in a pseudo-terminal, then says how the command ended. */
const SCRIPT = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp('sh', ['sh', '-c', sys.argv[1]])
answers = sys.argv[2:]
seen = b''
pending = b''
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    pending += data
    # readline ends a prompt with cursor movements: the text before them is what counts.
    if answers and (b': ' in pending[-40:]) and not pending.endswith(b'\\n'):
        pending = b''
        os.write(fd, answers.pop(0).encode() + b'\\r')
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode('utf8', 'replace'))
print('exit', os.waitstatus_to_exitcode(status))
`;

/** `warden` with a person at the terminal: everything shown, and `exit N` at the end. */
export function atTerminal(args: string, answers: readonly string[], cwd: string): string {
  const command = `'${process.execPath}' '${builtPrograms().warden}' ${args}`;
  return execFileSync('python3', ['-c', SCRIPT, command, ...answers], { encoding: 'utf8', cwd });
}
