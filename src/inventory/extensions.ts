import type { ActorType } from './actor.ts';

/** The extensions that OpenSSH knows. */
export const EXTENSIONS = [
  'no-touch-required',
  'permit-X11-forwarding',
  'permit-agent-forwarding',
  'permit-port-forwarding',
  'permit-pty',
  'permit-user-rc',
] as const;

/** What an actor's certificates permit where `extensions` is not written: a person works, a program gets what it asks for. */
export function defaultExtensions(type: ActorType): readonly string[] {
  return type === 'adm' ? ['permit-agent-forwarding', 'permit-port-forwarding', 'permit-pty'] : [];
}
