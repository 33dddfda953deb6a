import { setTimeout as pause } from "node:timers/promises";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2, constants, type ClientHttp2Session } from "node:http2";
import { get, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type SecureVersion, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { requestOver } from "../../support/doors.ts";
import { findProgram } from "../../support/programs.ts";
import { eventually, read } from "../../support/reader.ts";
import { selfSigned, type Certificate } from "../../support/self-signed.ts";

const first = selfSigned();
const second = selfSigned();
const ca = [first.cert, second.cert];

let gateway: Gateway;
let port: number;
const logged: Array<{ readonly level: string; readonly message: string; readonly fields: object }> = [];
const undo: Array<() => unknown> = [];

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
  await gateway.close();
  logged.length = 0;
});

async function start(tls: Certificate, config: Partial<GatewayConfig> = {}): Promise<void> {
  const log =
    (level: string) =>
    (fields: object, message: string): void =>
      void logged.push({ level, message, fields });
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const access = { anonymous: ["subscribe", "publish", "admin"] } as const;
  const own = { listen: "127.0.0.1:0", store: "memory:", access, streams: { s: {} } } as const;
  gateway = await createGateway({ ...own, tls, drain: "20s", ...config }, { logger });
  ({ port } = await gateway.listen());
}

function openSession(): ClientHttp2Session {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca }).on("error", () => {});
  undo.push(() => session.destroy());
  return session;
}

/** An HTTP/1.1 request on a separate connection. */
function getHttp1(path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(`https://127.0.0.1:${port}${path}`, { ca, agent: false, ...options }, resolve);
    request.once("error", reject);
    undo.push(() => request.destroy());
  });
}

/** The certificate of a new connection. */
function shownCertificate(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", ca }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    }).once("error", reject);
  });
}

const fingerprintOf = ({ cert }: Certificate): string => new X509Certificate(cert).fingerprint256;

test("one port speaks HTTP/2 and HTTP/1.1", async () => {
  await start(first);
  const session = openSession();
  const newer = read(await requestOver(session)("/streams/s"));
  await newer.until(({ events }) => events.length === 1);
  expect(session.alpnProtocol).toBe("h2");
  const older = await getHttp1("/streams/s");
  let text = "";
  older.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await eventually(() => text.includes("event: connected"));
  expect(older.httpVersion).toBe("1.1");
  await gateway.publish("s", { data: "to both" });
  await newer.until(() => newer.data().includes("to both"));
  await eventually(() => text.includes("data: to both"));
  expect((await getHttp1("/healthz")).statusCode).toBe(200);
});

const curl = findProgram("curl");

test.runIf(curl).each([
  { flag: "--http2", version: "2" },
  { flag: "--http1.1", version: "1.1" },
])("curl $flag gets its response", async ({ flag, version }) => {
  await start(first);
  const folder = await mkdtemp(join(tmpdir(), "spillway-tls-"));
  undo.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "ca.pem"), first.cert);
  const output = ["--write-out", " %{http_version} %{http_code}"];
  const args = ["--silent", "--show-error", flag, "--cacert", join(folder, "ca.pem"), ...output];
  const { stdout } = await promisify(execFile)(curl!, [...args, `https://127.0.0.1:${port}/healthz`]);
  expect(stdout).toBe(`{"status":"ok"} ${version} 200`);
});

test.each(["TLSv1.2", "TLSv1.3"] satisfies SecureVersion[])("%s is supported", async (version) => {
  await start(first);
  const socket = await handshake(version);
  expect(socket.getProtocol()).toBe(version);
});

test("TLS 1.1 is refused", async () => {
  await start(first);
  await expect(handshake("TLSv1.1")).rejects.toThrow(/protocol version|unsupported protocol/);
});

function handshake(version: SecureVersion): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const versions = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" } as const;
    const socket = connectTls({ port, host: "127.0.0.1", ca, ...versions }, () => resolve(socket));
    socket.once("error", reject);
    undo.push(() => socket.destroy());
  });
}

/** A gateway whose certificate files can be replaced. */
async function startWithFiles(): Promise<{ replace(next: Partial<Certificate>): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-tls-"));
  const paths = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const replace = async (next: Partial<Certificate>): Promise<void> => {
    for (const part of ["cert", "key"] as const) {
      const text = next[part];
      if (text === undefined) continue;
      await writeFile(`${paths[part]}.new`, text);
      await rename(`${paths[part]}.new`, paths[part]);
    }
  };
  await replace(first);
  await start(paths);
  undo.push(() => rm(folder, { recursive: true }));
  return { replace };
}

test("a new certificate is used for new connections, and open ones stay", async () => {
  const files = await startWithFiles();
  const reading = read(await requestOver(openSession())("/streams/s"));
  await reading.until(({ events }) => events.length === 1);
  expect(await shownCertificate()).toBe(fingerprintOf(first));
  await files.replace(second);
  await eventually(async () => (await shownCertificate()) === fingerprintOf(second), "the new certificate");
  await gateway.publish("s", { data: "still here" });
  await reading.until(() => reading.data().includes("still here"));
  const replaced = logged.find(({ message }) => message === "certificate replaced");
  expect(replaced?.fields).toMatchObject({ fingerprint: fingerprintOf(second) });
});

test("an invalid pair changes nothing, is logged once, and can be corrected", async () => {
  const files = await startWithFiles();
  const errors = (): string[] => logged.filter(({ level }) => level === "error").map(({ message }) => message);
  const broken: ReadonlyArray<Partial<Certificate>> = [
    { cert: second.cert },
    { cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" },
    // Node takes it for no key at all, and would then have none.
    { cert: first.cert, key: "" },
  ];
  for (const [index, next] of broken.entries()) {
    await files.replace(next);
    await eventually(() => errors().length === index + 1, "the error");
    expect(await shownCertificate()).toBe(fingerprintOf(first));
  }
  await files.replace(second);
  await eventually(async () => (await shownCertificate()) === fingerprintOf(second), "the new certificate");
  expect(errors()).toEqual(broken.map(() => "the new certificate cannot be used; the previous one stays in use"));
  expect(JSON.stringify(logged)).not.toContain("PRIVATE KEY");
});

test("a gateway does not start with a certificate that does not match its key", async () => {
  const access = { anonymous: ["subscribe"] } as const;
  const tls = { cert: first.cert, key: second.key };
  gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", access, tls, streams: { s: {} } });
  await expect(gateway.listen()).rejects.toMatchObject({ code: "config-invalid", field: "tls" });
});

test("a gateway that closes sends a goodbye on all sessions, and closes those without requests at once", async () => {
  await start(first);
  const [busy, idle] = [openSession(), openSession()];
  const goaways: string[] = [];
  busy.on("goaway", (code) => goaways.push(`busy ${code}`));
  idle.on("goaway", (code) => goaways.push(`idle ${code}`));
  const reading = read(await requestOver(busy)("/streams/s"));
  await (await requestOver(idle)("/healthz")).text();
  const silent = connectTcp(port, "127.0.0.1").on("error", () => {});
  undo.push(() => silent.destroy());
  await reading.until(({ events }) => events.length === 1);
  const closing = gateway.close();
  await eventually(() => idle.closed && busy.closed);
  await closing;
  expect(goaways.toSorted()).toEqual(["busy 0", "idle 0"]);
  expect(reading.controls("spillway.bye")).toHaveLength(1);
});

test("a session whose client does not leave is closed after the drain time", async () => {
  await start(first, { drain: "300ms" });
  const options = { port, host: "127.0.0.1", ca, ALPNProtocols: ["h2"], allowHalfOpen: true };
  const socket = connectTls(options).on("error", () => {});
  undo.push(() => socket.destroy());
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
  socket.resume();
  await eventually(() => socket.bytesRead > 0);
  await gateway.close();
});

test("a stream whose reader has stopped does not block others of its session", async () => {
  await start(first);
  const session = openSession();
  const stopped = session.request({ ":path": "/streams/s" });
  stopped.once("response", () => stopped.pause());
  const reading = read(await requestOver(session)("/streams/s"));
  await eventually(() => subscribers() === 2);
  for (let n = 0; n < 40; n++) await gateway.publish("s", { data: `${n} ${"x".repeat(50_000)}` });
  await reading.until(() => reading.data().length === 40);
  const { unsent } = gateway.status().streams["s"]!;
  expect(unsent).toBeGreaterThan(0);
  expect(unsent).toBeLessThan(2 * 256 * 1024);
  let length = 0;
  stopped.on("data", (chunk: Buffer) => (length += chunk.length)).resume();
  await eventually(() => length > 40 * 50_000, "the rest");
});

test("a session carries more event streams than a browser opens connections", async () => {
  await start(first);
  const request = requestOver(openSession());
  const readings = await Promise.all(Array.from({ length: 100 }, async () => read(await request("/streams/s"))));
  await eventually(() => subscribers() === 100);
  await gateway.publish("s", { data: "to all" });
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().includes("to all"))));
});

test("a client that opens requests only to reset them loses its session, without effect on others", async () => {
  await start(first);
  const reading = read(await requestOver(openSession())("/streams/s"));
  const session = openSession();
  const hasEnded = (): boolean => session.closed || session.destroyed;
  await eventually(async () => {
    const requests = Array.from({ length: 50 }, () =>
      hasEnded() ? undefined : session.request({ ":path": "/streams/s" }).on("error", () => {}),
    );
    // Node 22 sends nothing at all of a request that is closed in the turn in which it was made.
    await pause(3);
    for (const request of requests) request?.close(constants.NGHTTP2_CANCEL);
    return hasEnded();
  }, "the end of the session");
  await eventually(() => subscribers() === 1);
  await gateway.publish("s", { data: "on" });
  await reading.until(() => reading.data().includes("on"));
});

test("a client that only sends pings gets ENHANCE_YOUR_CALM", async () => {
  await start(first);
  const session = openSession();
  let code: number | undefined;
  session.on("goaway", (given: number) => (code = given));
  await once(session, "connect");
  await eventually(() => {
    if (!session.destroyed) session.ping(() => {});
    return session.destroyed;
  }, "the end of the session");
  expect(code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test("a request over HTTP/2 that is too large gets an error that names the part", async () => {
  await start(first);
  const request = requestOver(openSession());
  const long = await request(`/streams/s?x=${"a".repeat(9000)}`);
  expect([long.status, await long.json()]).toEqual([414, expect.objectContaining({ code: "uri-too-long" })]);
  expect((await request("/healthz", { headers: { a: "b".repeat(17_000) } })).status).toBe(431);
  await expect(request("/healthz", { headers: { a: "b".repeat(40_000) } })).rejects.toThrow();
  expect((await request("/healthz")).status).toBe(200);
});

test("an aborted request publishes nothing", async () => {
  await start(first);
  const headers = { ":method": "POST", ":path": "/streams/s/events", "content-type": "application/x-ndjson" };
  const session = openSession();
  const stream = session.request(headers).on("error", () => {});
  stream.write('{"data":"first"}\n{"data":"second"}\n');
  await new Promise((resolve) => session.ping(resolve));
  stream.close(constants.NGHTTP2_CANCEL);
  // Whoever gets this answer knows that the server has seen the end of the other request.
  await (await requestOver(session)("/healthz")).text();
  const [id] = await gateway.publish("s", { data: "after" });
  expect(id).toMatch(/\.1$/);
});

function subscribers(): number {
  return gateway.status().streams["s"]!.subscribers;
}
