import type { FactRecord } from './facts.ts';
import type {
  ConfigSource,
  InventoryContext,
  ParsedInventory,
  ParsedRoutes,
  ParsedSettings,
  RoutesContext,
} from './parser.ts';

/** What the main thread asks the parse worker. `more`: send the next slice of the answer. */
export type Job =
  | { readonly kind: 'settings'; readonly source: ConfigSource; readonly configDir: string }
  | { readonly kind: 'inventory'; readonly source: ConfigSource; readonly context: InventoryContext }
  | { readonly kind: 'routes'; readonly source: ConfigSource; readonly context: RoutesContext }
  | { readonly kind: 'facts'; readonly record: FactRecord }
  | { readonly kind: 'more' };

/** An answer arrives in slices, each asked for: a large message would hold the main thread while it is unpacked. */
export type Answer =
  | { readonly kind: 'slice'; readonly list: SlicedList; readonly entries: readonly unknown[] }
  | { readonly kind: 'done'; readonly value: ParsedSettings | ParsedInventory | ParsedRoutes | boolean };

/** Lists that may be long, left empty in the `done` answer. */
export const SLICED_LISTS = ['actors', 'hosts', 'routes', 'facts'] as const;
export type SlicedList = (typeof SLICED_LISTS)[number];

export const SLICE = 200;
