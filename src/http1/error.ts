/** Why a response, or the connection for it, cannot be used. */
export class Http1Error extends Error {
  override readonly name = "Http1Error";
  /**
   * `INVALID_RESPONSE`: the server does not speak HTTP/1.1, or its message could be read in more than one way.
   * `HEAD_TOO_LARGE`: a head or trailer section above the limit. `CONNECTION_CLOSED`: the server has closed the
   * connection before the end of the response. `INVALID_REQUEST`: the request cannot be sent as HTTP/1.1, or its body
   * does not have the length that was announced. `ETIMEDOUT`: there was no connection in time. `CLIENT_CLOSED`: the
   * client takes no more requests, or was destroyed.
   */
  readonly code:
    | "INVALID_RESPONSE"
    | "HEAD_TOO_LARGE"
    | "CONNECTION_CLOSED"
    | "INVALID_REQUEST"
    | "ETIMEDOUT"
    | "CLIENT_CLOSED";

  constructor(code: Http1Error["code"], message: string) {
    super(message);
    this.code = code;
  }
}
