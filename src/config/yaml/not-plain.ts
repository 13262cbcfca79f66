/** Thrown inside the quick reader where a text is more than plain; never leaves it. */
export class NotPlain extends Error {}
