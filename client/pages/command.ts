import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: a command. */
export const COMMAND_PAGES = {
  command_not_found: page(
    'There is no such command. Nothing was started and no secret was read for it.',
    ['The name is mistyped.', 'It lies in a folder that is not in your PATH.', 'It is a shell alias or function.'],
    [
      'Find it: command -v NAME.',
      'Give its whole path, or run a shell: warden exec --route R -- sh -c "…".',
      'warden exec ends with 127, as a shell does.',
    ],
  ),
  command_not_executable: page(
    'The file is there, and you may not execute it.',
    ['It has no x permission for you.', 'It is a folder.', 'It lies on a file system that was mounted noexec.'],
    ['chmod +x FILE, or name its interpreter: warden exec --route R -- python3 FILE.', 'warden exec ends with 126.'],
  ),
  spawner_unavailable: page(
    'The spawner, which starts commands as their callers, does not answer. Nothing was released.',
    [
      'wardend-spawner does not run.',
      'Its socket is not where wardend looks (--spawner), or wardend may not connect to it.',
      'Something that is not root answers there.',
    ],
    ['systemctl status wardend-spawner.', 'Its log names who connected and why it was turned away.'],
  ),
  spawner_lost: page(
    'The spawner went away while the command ran. The command ran, and nobody knows how it ended, or whether it did all it should.',
    ['wardend-spawner was killed, or it failed: it tells how its commands end when it is merely stopped or restarted.'],
    [
      'journalctl -u wardend-spawner says why it went.',
      'The command was sent SIGTERM by the kernel when the spawner went. What it was to change: look at that before you run it again.',
      'warden exec ends with 125. The record exec_end has this reason and no exit_code.',
    ],
  ),
  command_not_allowed: page(
    'The route says which commands may run with it, and this is none of them.',
    [
      'The program is another than commands: of the route lists, found under another path, or the file behind it is not the one whose digest is pinned.',
      'Its arguments do not fit the pattern: each element is literal, * is any one, ** at the end any number.',
    ],
    [
      'warden access ROUTE shows what may run; warden explain exec walks a command line without starting it.',
      'Ask the owner of the route to list the command in routes.yaml.',
    ],
  ),
  masking_required: page(
    'The route does not allow output in which its values could show.',
    ['--no-mask was given, and one of the routes does not say allow_unmasked: true.'],
    ['Leave --no-mask out.'],
  ),
  exec_limited: page(
    'As many commands run with secrets as may.',
    [
      'limits.exec_concurrency in warden.yaml bounds all of them together.',
      'One caller gets seven eighths of that, so that it cannot shut out the others.',
    ],
    ['Wait for one to end, or raise the limit.'],
  ),
  duration_exceeded: page(
    'The command ran for as long as the route lets one run, and was ended: SIGTERM, five seconds later SIGKILL.',
    ['It hung.', 'max_duration of the route is too short for what it does; of several routes the shortest counts.'],
    ['Raise max_duration of the route in routes.yaml, which is 1h where nothing is said.'],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
