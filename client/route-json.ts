import type { Route } from '../src/rpc/generated/warden/v1/warden.ts';

/** A route as --json and the tools show it: names as in routes.yaml. */
export function toJsonRoute(route: Route): Record<string, unknown> {
  return {
    id: route.id,
    title: route.title,
    owner: route.owner,
    lane: route.lane,
    as: route.as,
    required_maturity: route.requiredMaturity,
    data_class: route.dataClass,
    openbao_path: route.openbaoPath || undefined,
    fields: route.fields,
    tool: route.lane === 'tool' ? route.tool : undefined,
    fetch_capable: route.fetchCapable,
    exec_capable: route.execCapable,
    ...(route.execCapable && {
      inject: route.inject,
      commands: route.commands.length === 0 ? undefined : route.commands,
      max_duration_seconds: route.maxDurationSeconds,
      allow_unmasked: route.allowUnmasked,
    }),
    actors: route.actors.map(({ name, maturity, usable, refusal }) => ({
      name,
      maturity,
      usable,
      refusal: refusal || undefined,
    })),
  };
}
