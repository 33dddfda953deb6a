/** Whether a host, given as a name or an address, is this machine as only this machine can reach it (RFC 6761 section 6.3, RFC 1122). */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|::1|(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i.test(host);
}
