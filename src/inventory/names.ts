import { ACTOR_TYPES, type ActorType } from './actor.ts';

/** What an actor may be called: `<type>-` and what stays readable in key ids, logs and file names. */
export const ACTOR_NAME = /^(?:adm|agt|atm)-[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?$/;
export const ACTOR_NAME_MAX = 64;

/** The type that a name begins with; null where it begins with none. */
export function typeOfName(name: string): ActorType | null {
  return ACTOR_TYPES.find((type) => name.startsWith(`${type}-`)) ?? null;
}

/** Printable ASCII without comma and space: a comma ends a principal in an OpenSSH certificate request. */
export const PRINCIPAL = /^[\x21-\x2b\x2d-\x7e]{1,255}$/;
/** A host's principals are names: sshd's clients read `*`, `?` and `!` in them as patterns. */
export const HOST_PRINCIPAL = /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,253}[A-Za-z0-9])?$/;
/** What identifies a subject to the decision point: printable ASCII without space. */
export const SUBJECT = /^[\x21-\x7e]{1,255}$/;
export const TENANT = /^tenant:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;

/** The default of `allowed_subjects`. */
export function defaultSubjects(name: string): readonly string[] {
  return [name, `iam:${name}`];
}
