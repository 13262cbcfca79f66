/** Whom the kernel takes this process for. */
export function effectiveUid(): number {
  return process.geteuid?.() ?? -1;
}
