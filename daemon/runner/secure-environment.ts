/**
 * The C library takes these out of the environment of a program that runs with more privilege than whoever started it
 * (AT_SECURE), since they make it load or open files. See launch.ts: what becomes the caller runs so.
 */
const TAKEN =
  /^(LD_.*|MALLOC_.*|GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LOCALDOMAIN|LOCPATH|NIS_PATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TMPDIR|TZDIR)$/;

export function takenFromSecure(name: string): boolean {
  return TAKEN.test(name);
}
