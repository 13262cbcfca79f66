/**
 * A path of the API from its parts. A part may hold slashes (a mount, a path in KV), and each segment is encoded,
 * so that no name can climb out of where it was put.
 * @throws RangeError for an empty segment, `.` or `..`
 */
export function apiPath(...parts: readonly string[]): string {
  const segments = parts.flatMap((part) => part.split('/'));
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..' || /\p{Cc}/u.test(segment)) {
      throw new RangeError('a path of OpenBao has an empty segment, `.` or `..`');
    }
  }
  return segments.map(encodeURIComponent).join('/');
}
