import type { Maturity } from '../kernel/posture.ts';
import type { DataClass } from '../posture/data-class.ts';

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

/** A resource whose attributes are its own package's; `isSecretRouteResource` tells ours apart. */
export interface OtherResource {
  readonly id: string;
  readonly type: string;
  readonly tenant?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A way to one secret. It has no tenant of its own: it stands in those of its actors. */
export interface SecretRouteResource {
  /** `secret-route:<route>`. */
  readonly id: string;
  readonly type: typeof SECRET_ROUTE_RESOURCE;
  readonly attributes: SecretRouteAttributes;
}

export type SecretRouteAttributes = {
  readonly owner: string;
  readonly required_maturity: Maturity;
  readonly data_class: DataClass;
  /** Names of the inventory, sorted. Their subjects are those of their certificate resources. */
  readonly actors: readonly string[];
  /** What the route is capable of, in this order: `fetch`, `exec`. */
  readonly actions: readonly RouteAction[];
};

export const ROUTE_ACTIONS = ['fetch', 'exec'] as const;
export type RouteAction = (typeof ROUTE_ACTIONS)[number];

export const CERTIFICATE_RESOURCE = 'ssh-certificate';
export const SECRET_ROUTE_RESOURCE = 'secret-route';

export function isCertificateResource(resource: RegistryResource): resource is CertificateResource {
  return resource.type === CERTIFICATE_RESOURCE;
}

export function isSecretRouteResource(resource: RegistryResource): resource is SecretRouteResource {
  return resource.type === SECRET_ROUTE_RESOURCE;
}

/** The resource id under which an actor's certificates are registered and asked for. */
export function certificateResourceId(actor: string): string {
  return `ssh-cert:actor/${actor}`;
}

/** The resource id under which a route is registered and asked for. */
export function secretRouteId(route: string): string {
  return `secret-route:${route}`;
}
