/** Whether a text is a token (RFC 9110 §5.6.2): the name of a header, a cookie, a method or a subprotocol. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** Whether a text, a character for each byte, may be the value of a header (RFC 9110 §5.5). */
export function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}
