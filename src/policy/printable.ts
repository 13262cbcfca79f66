/**
 * Text from outside that ends in a certificate's key id, in the ledger or on a terminal: bounded, and printable
 * ASCII alone, so that it can neither forge a line nor steer a terminal.
 */
const LONGEST_ID = 128;
const LONGEST_REASON = 256;

/** Printable ASCII without a space, 1 to 128 characters: fit for a key id and for quoting. */
export function isPrintableId(text: string): boolean {
  return text.length > 0 && text.length <= LONGEST_ID && /^[\x21-\x7e]+$/.test(text);
}

/** Printable ASCII, at most 256 characters; "" is a reason that was not given. */
export function isPrintableReason(text: string): boolean {
  return text.length <= LONGEST_REASON && /^[\x20-\x7e]*$/.test(text);
}
