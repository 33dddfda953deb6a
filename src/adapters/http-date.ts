let second = 0;
let text = "";

/** The value of a `Date` header (RFC 9110 §6.6.1), made once a second. */
export function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) text = new Date(now * 1000).toUTCString();
  second = now;
  return text;
}
