import { describe, expect, onTestFinished, test } from "vitest";
import { doors, type Door } from "../../support/doors.ts";
import {
  answering,
  chunk,
  startRawOrigin,
  whole,
  type RawOrigin,
  type RawOriginOptions,
} from "../../support/raw-origin.ts";
import { eventually } from "../../support/reader.ts";
import { openRoutes, routeTo, type RouteChanges } from "../../support/routes.ts";

const chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Reads a body piece by piece. */
function follow(response: Response): { text(): string; ended: Promise<void> } {
  let text = "";
  const read = async (): Promise<void> => {
    for await (const piece of response.body!) text += Buffer.from(piece).toString("latin1");
  };
  const ended = read();
  ended.catch(() => {});
  return { text: () => text, ended };
}

describe.each(doors)("through $name", (kind) => {
  async function open(options: RawOriginOptions, changes?: RouteChanges): Promise<{ origin: RawOrigin; door: Door }> {
    const origin = await startRawOrigin(options);
    onTestFinished(() => origin.close());
    return { origin, door: await openDoor([origin.url], changes) };
  }

  async function openDoor(urls: readonly string[], changes?: RouteChanges): Promise<Door> {
    const gateway = await openRoutes({ "/api/**": routeTo(urls, changes) }, { ...kind.config?.(), drain: 0 });
    const door = await kind.open(gateway);
    onTestFinished(async () => {
      await door.close();
      await gateway.close();
    });
    return door;
  }

  test.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("%s arrives as it was sent", async (method) => {
    const { origin, door } = await open(answering(whole("done")));
    const body = method === "GET" ? {} : { body: "some text" };
    const response = await door.request("/api/a%20b?x=1&y=%2F", { method, headers: { "x-own": "1" }, ...body });
    expect([response.status, await response.text()]).toEqual([200, "done"]);
    const [request, ...others] = origin.requests();
    expect(others).toEqual([]);
    expect(origin.errors()).toEqual([]);
    expect(request).toMatchObject({ method, target: "/api/a%20b?x=1&y=%2F", body: body.body ?? "", isComplete: true });
    expect(request!.header("x-own")).toBe("1");
  });

  test("status, headers and body of the answer arrive as they were sent", async () => {
    const fields = ["Content-Type: application/x-own", 'ETag: "1"', "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2, 3"];
    const { door } = await open(answering(whole("{}", ...fields).replace("200 OK", "418 Teapot")));
    const response = await door.request("/api/x");
    expect([response.status, await response.text()]).toEqual([418, "{}"]);
    expect(response.headers.get("content-type")).toBe("application/x-own");
    expect(response.headers.get("etag")).toBe('"1"');
    expect(response.headers.get("content-length")).toBe("2");
    expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2, 3"]);
  });

  test("an answer to HEAD keeps its length and has no body", async () => {
    const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n";
    const { origin, door } = await open(answering(head));
    const response = await door.request("/api/x", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(response.headers.get("content-length")).toBe("5");
    expect(origin.requests()[0]!.method).toBe("HEAD");
    // The next answer is not taken for the body.
    expect((await door.request("/api/x", { method: "HEAD" })).status).toBe(200);
  });

  test.each(["204 No Content", "304 Not Modified"])("%s has no body", async (status) => {
    const { door } = await open(answering(`HTTP/1.1 ${status}\r\nETag: "1"\r\n\r\n`));
    for (let i = 0; i < 2; i++) {
      const response = await door.request("/api/x", { headers: { "if-none-match": '"1"' } });
      expect([response.status, await response.text()]).toEqual([Number(status.slice(0, 3)), ""]);
      expect(response.headers.get("etag")).toBe('"1"');
    }
  });

  test("an answer of length 0 has no body", async () => {
    const { door } = await open(answering(whole("")));
    const response = await door.request("/api/x", { method: "POST" });
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "0", ""]);
  });

  test("a redirect is passed on and not followed", async () => {
    const other = await startRawOrigin(answering(whole("not here")));
    onTestFinished(() => other.close());
    const { door } = await open(
      answering(whole("", `Location: ${other.url}/`).replace("200 OK", "307 Temporary Redirect")),
    );
    const response = await door.request("/api/x", { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([307, `${other.url}/`]);
    expect(other.connections).toEqual([]);
  });

  test("each chunk of the answer arrives before the next one is sent", async () => {
    const { origin, door } = await open({ onRequest: (_, { socket }) => void socket.write(chunkedHead) });
    const response = await door.request("/api/x");
    const { text, ended } = follow(response);
    const { socket } = origin.connections[0]!;
    for (let n = 1; n <= 5; n++) {
      socket.write(chunk(`piece ${n}.`));
      await eventually(() => text().endsWith(`piece ${n}.`), `piece ${n}`);
    }
    socket.write("0\r\n\r\n");
    await ended;
    expect(text()).toBe("piece 1.piece 2.piece 3.piece 4.piece 5.");
  });

  test("each chunk of the request arrives before the next one is sent", async () => {
    const { origin, door } = await open(answering(whole("done")));
    let sender!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (sender = controller) });
    const answered = door.request("/api/x", { method: "POST", body, duplex: "half" });
    for (let n = 1; n <= 5; n++) {
      sender.enqueue(Buffer.from(`piece ${n}.`));
      await eventually(() => origin.requests()[0]?.body.endsWith(`piece ${n}.`) === true, `piece ${n}`);
    }
    sender.close();
    expect(await (await answered).text()).toBe("done");
    expect(origin.errors()).toEqual([]);
    expect(origin.requests()).toMatchObject([{ body: "piece 1.piece 2.piece 3.piece 4.piece 5.", isComplete: true }]);
  });

  test("a body of megabytes arrives whole, both ways", async () => {
    const large = Array.from({ length: 300_000 }, (_, n) => `${n}\n`).join("");
    const { door } = await open({
      onRequest: ({ body }, { socket }) => void socket.write(chunkedHead + chunk(body) + "0\r\n\r\n", "latin1"),
    });
    const response = await door.request("/api/x", { method: "PUT", body: large });
    expect((await response.text()) === large).toBe(true);
  });

  test("a client that leaves aborts its request", async () => {
    const { origin, door } = await open({ onRequest: (_, { socket }) => void socket.write(chunkedHead + chunk("x")) });
    const leaving = new AbortController();
    const { text, ended } = follow(await door.request("/api/x", { signal: leaving.signal }));
    await eventually(() => text() === "x", "the first chunk");
    leaving.abort();
    await expect(ended).rejects.toThrow();
    await eventually(() => origin.open() === 0, "the end of the request");
    expect(origin.connections).toHaveLength(1);
  });

  test("a client that leaves before the answer aborts its request", async () => {
    // Otherwise the timeout would end the request.
    const timeouts = { connect: 5000, headers: 600_000, idle: 600_000 };
    const { origin, door } = await open({}, { upstream: { timeouts } });
    const leaving = new AbortController();
    const answered = door.request("/api/x", { signal: leaving.signal });
    await eventually(() => origin.requests().length === 1, "the request");
    leaving.abort();
    if (kind.name !== "fetch") await expect(answered).rejects.toThrow();
    await eventually(() => origin.open() === 0, "the end of the request");
    await answered.catch(() => {});
  });

  test.each([
    ["in chunks", chunkedHead + chunk("part")],
    ["of a known length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart"],
  ])("a target that dies cuts an answer %s", async (_, bytes) => {
    const { origin, door } = await open(answering(bytes));
    const { text, ended } = follow(await door.request("/api/x"));
    await eventually(() => text() === "part", "the first part");
    origin.connections[0]!.socket.resetAndDestroy();
    await expect(ended).rejects.toThrow();
  });

  test("a target that ends within an answer cuts it", async () => {
    const { origin, door } = await open(answering(chunkedHead + chunk("part")));
    const { text, ended } = follow(await door.request("/api/x"));
    await eventually(() => text() === "part", "the first part");
    origin.connections[0]!.socket.end();
    await expect(ended).rejects.toThrow();
  });

  test("an answer without a length ends with the target's connection", async () => {
    const { door } = await open({
      onRequest: (_, { socket }) => void socket.end("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nwhole"),
    });
    expect(await (await door.request("/api/x")).text()).toBe("whole");
  });

  test("an answer that falls silent is cut", async () => {
    const timeouts = { connect: 5000, headers: 30_000, idle: 100 };
    const { origin, door } = await open(answering(chunkedHead + chunk("part")), { upstream: { timeouts } });
    const { text, ended } = follow(await door.request("/api/x"));
    await expect(ended).rejects.toThrow();
    expect(text()).toBe("part");
    await eventually(() => origin.open() === 0, "the end of the request");
  });

  test("a target that refuses is 502, one that is late 504", async () => {
    const refusing = await startRawOrigin({});
    await refusing.close();
    const refused = await (await openDoor([refusing.url])).request("/api/x");
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([502, "target-failed"]);

    const timeouts = { connect: 5000, headers: 100, idle: 90_000 };
    const { origin, door } = await open({}, { upstream: { timeouts } });
    const late = await door.request("/api/x");
    expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([504, "target-timeout"]);
    await eventually(() => origin.open() === 0, "the end of the request");
  });

  test("a target that breaks off before its answer is 502", async () => {
    const { door } = await open({ onRequest: (_, { socket }) => void socket.resetAndDestroy() });
    const response = await door.request("/api/x");
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([502, "target-failed"]);
  });

  test("no place at any target is 503 with a time to retry after", async () => {
    const { origin, door } = await open({}, { upstream: { connections: 1, queue: { length: 0, for: 0 } } });
    const leaving = new AbortController();
    const first = door.request("/api/x", { signal: leaving.signal });
    first.catch(() => {});
    await eventually(() => origin.requests().length === 1, "the first request");
    const second = await door.request("/api/x");
    expect(second.status).toBe(503);
    expect(second.headers.get("retry-after")).toMatch(/^[1-9]$/);
    expect(((await second.json()) as { code: string }).code).toBe("target-unavailable");
    leaving.abort();
  });
});
