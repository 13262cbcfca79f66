import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: the ledger and the daemon. */
export const DAEMON_PAGES = {
  ledger_unavailable: page(
    'The record could not be written to disk, so nothing was released.',
    ['The disk of the state folder is full or fails, or permissions changed.'],
    ['Make room. The daemon goes on by itself; no restart is needed.'],
  ),
  ledger_broken: page(
    'The ledger does not hold together: a record was altered, removed, reordered or cut off.',
    ['The file was edited, damaged, or put back from a copy.'],
    [
      'warden ledger verify names the place. Look into it; then warden ledger accept --reason TEXT lets the daemon start.',
    ],
  ),
  state_in_use: page(
    'Another daemon works in the same state folder.',
    ['Two daemons would write one ledger.'],
    ['Stop the other, or give this one its own --state.'],
  ),
  state_rolled_back: page(
    'The state folder is older than it was: records that were written are gone.',
    ['It was restored from a backup, or a snapshot of the machine was put back.'],
    ['Put the newest state folder back; or, where there is none, warden ledger accept --reason TEXT.'],
  ),
  socket_in_use: page(
    'Another daemon listens on the same socket.',
    ['It runs already.'],
    ['Stop the other, or give this one its own --socket.'],
  ),
  draining: page(
    'The daemon is stopping and takes nothing new.',
    ['It is being restarted or upgraded.'],
    ['Ask again in a moment.'],
  ),
  config_invalid: page(
    'A config file does not hold.',
    ['A key that does not exist, a value out of range, two files that disagree, or permissions that let others write.'],
    ['warden check lists every problem with file, line and mend.'],
  ),
  restart_required: page(
    'The files changed something that is fixed when the daemon starts.',
    ['Posture, socket or state folder.'],
    ['Restart the daemon; until then the old snapshot stays in force.'],
  ),
  preflight_failed: page(
    'The gate was turned on, and the decision point does not answer /healthz.',
    ['With fail_closed every request would be refused, so the old snapshot stays.'],
    ['Make the decision point reachable. The daemon tries again every 10 s.'],
  ),
  deadline_exceeded: page(
    'The answer did not come in time.',
    ['The decision point, the authority or the disk is slow, or the machine is overloaded.'],
    ['Ask again; warden ledger query --request ID shows whether something was released all the same.'],
  ),
  unimplemented: page(
    'The daemon does not know this request.',
    ['It is older than this client.'],
    ['Upgrade the daemon: warden status and warden doctor show both versions.'],
  ),
  daemon_unreachable: page(
    'No wardend answers on the socket.',
    ['It does not run, listens elsewhere, or you have no permission on the socket.'],
    [
      'Start it: wardend, or systemctl --user start wardend.socket, or systemctl start wardend.socket.',
      'Name the socket: --socket PATH or WARDEN_SOCKET.',
      "In system mode be a member of the socket's group.",
    ],
  ),
  service_failed: page(
    'systemd could not do what warden install asked of it, or the daemon did not start.',
    [
      'The config does not hold: the log of the service names file and line.',
      'Another daemon has the socket or the state folder.',
      'Its user cannot read the config folder or run the program.',
    ],
    [
      'Read the last lines of the log: journalctl -u wardend.service (with --user for your own).',
      'Mend it and run warden install again: what is done already stays as it is.',
      'warden install --uninstall takes back what was done.',
    ],
  ),
  internal: page(
    "A failure that should not be. The cause is in the daemon's log, and only there.",
    ['A defect, or daemon and client of different versions.'],
    ['Report it with the request id.'],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
