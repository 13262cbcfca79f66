/** What came is not HTTP/2, or not what we asked for. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error';
}
