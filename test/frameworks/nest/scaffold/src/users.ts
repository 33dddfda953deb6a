/** A token is the base64url of this, as JSON. */
export interface User {
  readonly id: string;
  /** In ms since 1970. */
  readonly expiresAt: number;
}

export function verifyToken(authorization: string | undefined): User | undefined {
  const [, token] = /^Bearer (\S+)$/.exec(authorization ?? "") ?? [];
  if (token === undefined) return undefined;
  const user = JSON.parse(Buffer.from(token, "base64url").toString()) as User;
  return user.expiresAt > Date.now() ? user : undefined;
}
