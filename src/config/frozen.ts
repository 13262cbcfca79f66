/** Freezes a value and all that it holds. For plain data: objects, lists, scalars. */
export function deepFreeze<Value>(value: Value): Value {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}

/** A map that no one changes once it is made: Object.freeze does not reach a Map's entries. */
export class FrozenMap<Key, Value> extends Map<Key, Value> {
  readonly #sealed: boolean = false;

  constructor(entries: Iterable<readonly [Key, Value]>) {
    super(entries);
    this.#sealed = true;
    Object.freeze(this);
  }

  override set(key: Key, value: Value): this {
    // The base constructor fills the map through here, before this class's fields exist.
    if (#sealed in this && this.#sealed) throw new TypeError('a snapshot does not change');
    return super.set(key, value);
  }

  override delete(): boolean {
    throw new TypeError('a snapshot does not change');
  }

  override clear(): void {
    throw new TypeError('a snapshot does not change');
  }
}

/** Whether two values of plain data have the same content. */
export function sameContent(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) && sameContent((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}
