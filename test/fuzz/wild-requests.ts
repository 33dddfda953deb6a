/** Requests of HTTP/1.1 that go wrong in every way, as text in which each character is a byte. */
import fc from "fast-check";

interface Parts {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/** Text of arbitrary bytes. */
const bytes = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)), maxLength });

/** Paths below `/open`, which everybody may use, and below `/closed`, for which nobody has the right. */
const forwarded = ["/open/a", "/open/b?c=d", "/open/", "/open/x/../y", "/open/%2e%2e/y", "/open/204", "/closed/a"];

/** `credentials` are values that the gateway under test knows. */
export function wildRequests(credentials: { readonly key: string; readonly token: string }): fc.Arbitrary<string> {
  const method = fc.oneof(
    { weight: 8, arbitrary: fc.constant("GET") },
    fc.constantFrom("POST", "HEAD", "OPTIONS", "PUT", "PROPFIND", "CONNECT", "BREW", "get", "G\tT", ""),
  );
  const target = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom("/streams/s", "/streams/s?after=earliest", "/api/sse", "/streams/s/a?last=2"),
    },
    { weight: 3, arbitrary: fc.constantFrom(...forwarded) },
    fc.constantFrom("/streams/%73", "/streams/none", "/streams/s/", "/streams/s/events", "/streams", "/status", "/"),
    fc.constantFrom("http://localhost/streams/s", "http://u:p@other/streams/s", "//streams/s", "*", "/streams/s#x"),
    fc.constantFrom("/streams/s?last=x", "/streams/s?%", "/streams/%ff", "/streams/s\xe9", "/streams/s x", ""),
    bytes(12).map((text) => `/streams/${text}`),
  );
  const version = fc.oneof(
    { weight: 12, arbitrary: fc.constant(" HTTP/1.1") },
    fc.constantFrom(" HTTP/1.0", " HTTP/2.0", " http/1.1", " HTTP/1.1 ", " HTTP/9.9", ""),
  );
  const known = `
    Host: localhost | Host: localhost | Host: other | Host: a b | Host:
    Accept: text/event-stream | Accept: application/x-ndjson | Accept: application/json | Accept: image/png
    Authorization: Bearer ${credentials.key} | Authorization: Bearer wrong | Authorization: Basic YTpi
    Cookie: session=${credentials.token} | Cookie: session=wrong | Cookie: a=1; b=2 | Cookie: a
    X-API-Key: ${credentials.key} | X-API-Key: wrong | Last-Event-ID: zzz.1 | Last-Event-ID:
    Origin: http://localhost | Origin: http://evil.example | Content-Type: application/json
    Content-Length: 0 | Content-Length: 12 | Content-Length: 5, 5 | Content-Length: -1
    Transfer-Encoding: chunked | Transfer-Encoding: gzip | Transfer-Encoding: chunked, identity
    Connection: close | Connection: keep-alive | Connection: upgrade | Upgrade: h2c
    Expect: 100-continue | Expect: foo | Forwarded: for=1.2.3.4 | X-Forwarded-For: 1.2.3.4 | Idempotency-Key: k
  `
    .trim()
    .split(/\s*[|\n]\s*/);
  const header = fc.oneof({ weight: 15, arbitrary: fc.constantFrom(...known) }, bytes(20));
  const body = fc.oneof(
    { weight: 6, arbitrary: fc.constant("") },
    fc.constantFrom('{"data":"1"}', 'c\r\n{"data":"1"}\r\n0\r\n\r\n', 'c;x=y\r\n{"data":"1"}\r\n0\r\nT: x\r\n\r\n'),
    fc.constantFrom("zz\r\n", "5\r\nhel", "GET /streams/s HTTP/1.1\r\nHost: localhost\r\n\r\n", "\0\x01", "\r\n"),
  );
  const parts: fc.Arbitrary<Parts> = fc.record({
    method,
    target,
    version,
    headers: fc.array(header, { maxLength: 5 }).map((headers) => ["Host: localhost"].concat(headers)),
    body,
  });
  const mutated = fc
    .tuple(parts, fc.array(fc.tuple(fc.nat(), mutation), { maxLength: 2 }))
    .map(([start, mutations]) => mutations.reduce((all, [at, mutate]) => mutate(all, at), start));
  // Well-formed, and full of what may be there but once.
  const repeated: fc.Arbitrary<string> = fc
    .array(
      fc.constantFrom(...known.filter((line) => /^(Accept|Authorization|Cookie|X-API-Key|Origin|Last)/.test(line))),
      {
        minLength: 2,
        maxLength: 5,
      },
    )
    .map((headers) => ["GET /streams/s HTTP/1.1", "Host: localhost"].concat(headers, "", "").join("\r\n"));
  const lineEnd = fc.oneof({ weight: 12, arbitrary: fc.constant("\r\n") }, fc.constantFrom("\n", "\r"));
  // As many on one connection as a client that keeps it would send.
  const plain: fc.Arbitrary<string> = fc
    .tuple(fc.constantFrom("GET", "GET", "GET", "HEAD"), fc.constantFrom(...forwarded, "/healthz", "/streams/s"))
    .chain(([verb, path]) =>
      fc
        .subarray(["Accept: text/event-stream", "Accept-Language: de", "Connection: keep-alive"])
        .map((headers) => [`${verb} ${path} HTTP/1.1`, "Host: localhost"].concat(headers, "", "").join("\r\n")),
    );
  const sequence = fc
    .array(fc.oneof({ weight: 4, arbitrary: plain }, fc.tuple(mutated, lineEnd).map(write)), {
      minLength: 2,
      maxLength: 4,
    })
    .map((all) => all.join(""));
  const damage = fc.option(fc.tuple(fc.nat(), bytes(2)), { freq: 12 });
  const damagedRequests = fc
    .tuple(fc.array(fc.tuple(mutated, lineEnd).map(write), { minLength: 1, maxLength: 2 }), damage)
    .map(([requests, damaged]) => {
      const text = requests.join("");
      if (!damaged) return text;
      const at = damaged[0] % text.length;
      return text.slice(0, at) + damaged[1] + text.slice(at + 1);
    });
  return fc.oneof({ weight: 3, arbitrary: damagedRequests }, repeated, { weight: 2, arbitrary: sequence });
}

function write([{ method, target, version, headers, body }, end]: [Parts, string]): string {
  return [`${method} ${target}${version}`, ...headers, "", body].join(end);
}

/** What happens to the header at a place. */
const mutation = fc.constantFrom<Array<(parts: Parts, at: number) => Parts>>(
  onHeader((header) => [header, header]),
  onHeader((header) => [header, `${header.split(":")[0]}: other`]),
  onHeader((header) => [`${header.split(":")[0]}: first`, header]),
  onHeader((header) => [header.toUpperCase()]),
  onHeader((header) => [header.toLowerCase()]),
  onHeader((header) => [header.replace(":", " :")]),
  onHeader((header) => [header.replace(": ", ":"), header.replace(": ", ":\t \t")]),
  onHeader((header) => [`${header}  \t`]),
  onHeader((header) => [header.replace(": ", ": \r\n ")]),
  onHeader((header) => [` ${header}`]),
  onHeader(() => []),
);

function onHeader(change: (header: string) => readonly string[]): (parts: Parts, at: number) => Parts {
  return (parts, at) => {
    const { headers } = parts;
    const place = at % Math.max(headers.length, 1);
    return { ...parts, headers: headers.flatMap((header, i) => (i === place ? change(header) : [header])) };
  };
}
