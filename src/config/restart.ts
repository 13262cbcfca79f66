import type { Settings } from './snapshot.ts';

/** Keys of warden.yaml that are fixed when the daemon starts and differ now, named as in the file. */
export function needsRestart(running: Settings, candidate: Settings): readonly string[] {
  const keys: string[] = [];
  if (running.posture !== candidate.posture) keys.push('posture');
  if (running.socket.mode !== candidate.socket.mode) keys.push('socket.mode');
  if (running.socket.group !== candidate.socket.group) keys.push('socket.group');
  return keys;
}
