/**
 * What flex-auth is told of the inventory: who may be a subject, and what each resource admits. The file of the
 * hand-over has exactly this shape and key order.
 */
export interface RegistrySnapshot {
  readonly version: 1;
  readonly tenant: string;
  readonly system: string;
  readonly subjects: readonly RegistrySubject[];
  readonly resources: readonly RegistryResource[];
}

/** An id may stand more than once: with another type, or in another tenant. */
export interface RegistrySubject {
  readonly id: string;
  readonly type: string;
  /** Only where it is not the registry's own tenant. */
  readonly tenant?: string;
}

export type RegistryResource = CertificateResource | OtherResource;

export interface CertificateResource {
  /** `ssh-cert:actor/<actor>`. */
  readonly id: string;
  readonly type: typeof CERTIFICATE_RESOURCE;
  /** Only where it is not the registry's own tenant. */
  readonly tenant?: string;
  readonly attributes: CertificateAttributes;
}

export interface CertificateAttributes {
  readonly actor_type: string;
  readonly principals: readonly string[];
  /** Hours, fractions allowed. */
  readonly max_ttl_hours: number;
  readonly allowed_subjects: readonly string[];
}

/** A resource of another package (`secret-route`): carried along, not decided on by the certificate rules. */
export interface OtherResource {
  readonly id: string;
  readonly type: string;
  readonly tenant?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export const CERTIFICATE_RESOURCE = 'ssh-certificate';

export function isCertificateResource(resource: RegistryResource): resource is CertificateResource {
  return resource.type === CERTIFICATE_RESOURCE;
}

/** The resource id under which an actor's certificates are registered and asked for. */
export function certificateResourceId(actor: string): string {
  return `ssh-cert:actor/${actor}`;
}
