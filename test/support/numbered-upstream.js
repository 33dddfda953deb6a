/* oxlint-disable typescript/no-unsafe-argument, typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-return -- plain JavaScript: the types are in the file beside this one */
/**
 * An event source that numbers its events, so that a test can detect missing and duplicate ones: event n has `id: n`
 * and `data: {"n":n,"t":"<hrtime in ns when it was made>"}`. It resumes, drops connections and misbehaves as configured.
 *
 * In JavaScript, so that a separate process can run it: `node test/support/numbered-upstream.js '{"rate":100}'` prints a line
 * `{"url":…}`, answers `GET /state`, and obeys `POST /control` (see `NumberedControl` in the types beside this file).
 */
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { pathToFileURL } from "node:url";

const streamHeaders = { "content-type": "text/event-stream", "cache-control": "no-cache" };

/** @type {import("./numbered-upstream.js").NumberedOptions} */
const defaults = {
  total: Infinity,
  rate: 0,
  idEvery: 1,
  resume: "exclusive",
  earlier: 5,
  parameter: undefined,
  event: undefined,
  padding: 0,
  retry: undefined,
  dropEvery: 0,
  dropMode: "end",
  tls: undefined,
  port: 0,
};

/** @type {typeof import("./numbered-upstream.js").startNumberedUpstream} */
export async function startNumberedUpstream(options = {}) {
  const settings = { ...defaults, ...options };
  /** When each event was made; event n at index n - 1. */
  const times = [];
  const connections = [];
  const streams = new Set();
  const sockets = new Set();
  const queue = [];
  let always;
  let maxOpen = 0;
  let timer;

  const server = settings.tls ? createTlsServer(settings.tls, answer) : createServer(answer);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });

  function emit(count = 1) {
    for (let n = 0; n < count && times.length < settings.total; n++) times.push(process.hrtime.bigint());
    for (const stream of streams) pump(stream);
  }

  function tick() {
    clearInterval(timer);
    if (settings.rate <= 0) return;
    const start = performance.now();
    let made = 0;
    timer = setInterval(
      () => {
        const due = Math.floor(((performance.now() - start) * settings.rate) / 1000);
        emit(due - made);
        made = due;
      },
      Math.max(1, Math.min(1000 / settings.rate, 20)),
    );
  }

  function frame(n) {
    const head = settings.event ? `event: ${settings.event}\n` : "";
    const id = settings.idEvery > 0 && n % settings.idEvery === 0 ? `id: ${n}\n` : "";
    const padding = settings.padding > 0 ? `,"p":"${"x".repeat(settings.padding)}"` : "";
    return `${head}${id}data: {"n":${n},"t":"${times[n - 1]}"${padding}}\n\n`;
  }

  function pump(stream) {
    const { record, response } = stream;
    while (!stream.ended && !stream.full && stream.next <= times.length) {
      if (settings.dropEvery > 0 && record.sent >= settings.dropEvery) return drop(stream);
      stream.full = !response.write(frame(stream.next++));
      record.sent++;
    }
  }

  function drop(stream, mode = settings.dropMode) {
    stream.ended = true;
    const { response } = stream;
    // Earlier data is passed to the kernel first, otherwise the connection would make no progress.
    if (mode === "reset") response.write(":\n", () => response.socket?.resetAndDestroy());
    else if (mode === "end") response.end();
    else {
      const text = frame(Math.min(stream.next, Math.max(times.length, 1)));
      response.write(text.slice(0, text.length / 2), () => response.destroy());
    }
  }

  /** The first event of a connection: after the id in the request, or as its way of resuming determines. */
  function firstFor(lastEventId) {
    if (settings.idEvery === 0) return times.length + 1;
    const id = Number(lastEventId ?? 0);
    if (!Number.isSafeInteger(id) || id <= 0) return 1;
    const back = { exclusive: 0, inclusive: 1, earlier: settings.earlier }[settings.resume];
    return Math.max(1, id + 1 - back);
  }

  function answer(request, response) {
    const url = new URL(request.url ?? "/", "http://localhost");
    let body = "";
    request.setEncoding("utf8").on("data", (text) => (body += text));
    request.on("end", () => {
      if (url.pathname === "/control") control(JSON.parse(body));
      if (url.pathname === "/control" || url.pathname === "/state") reply(response, state());
      else receive(request, response, { body, query: Object.fromEntries(url.searchParams) });
    });
  }

  function receive({ method, url, headers }, response, details) {
    const record = { method, url, headers, ...details, sent: 0, opened: performance.now(), closed: undefined };
    connections.push(record);
    maxOpen = Math.max(maxOpen, connections.filter(({ closed }) => closed === undefined).length);
    response.on("close", () => (record.closed = performance.now()));
    response.on("error", () => {});
    const scripted = queue.shift() ?? always;
    if (scripted) play(scripted, response);
    else serve(record, response);
  }

  function serve(record, response) {
    const { parameter } = settings;
    const id = parameter ? record.query[parameter] : record.headers["last-event-id"];
    const entry = { record, response, next: firstFor(id), full: false, ended: false };
    streams.add(entry);
    response.on("close", () => streams.delete(entry));
    response.on("drain", () => {
      entry.full = false;
      pump(entry);
    });
    response.writeHead(200, streamHeaders);
    response.write(settings.retry === undefined ? ": welcome\n\n" : `retry: ${settings.retry}\n\n`);
    pump(entry);
  }

  function play({ hang, status = 200, headers = streamHeaders, body = "", flood, then = "end" }, response) {
    if (hang) return;
    response.writeHead(status, headers);
    response.flushHeaders();
    if (status !== 204 && body) response.write(typeof body === "string" ? body : Buffer.from(body));
    if (flood) return floodWith(flood, response);
    if (then === "end") response.end();
    else if (then === "reset") setImmediate(() => response.socket?.resetAndDestroy());
  }

  function floodWith(text, response) {
    const chunk = text.repeat(Math.ceil(16_384 / text.length));
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", more);
    more();
  }

  function control(change) {
    if (change.set) Object.assign(settings, change.set);
    if (change.set?.rate !== undefined) tick();
    if (change.next) queue.push(...change.next);
    if ("always" in change) always = change.always ?? undefined;
    if (change.drop) for (const entry of streams) drop(entry, change.drop);
    if (change.comment) for (const { response } of streams) response.write(`: ${change.comment}\n`);
    if (change.emit) emit(change.emit);
  }

  function state() {
    return { last: times.length, open: streams.size, sockets: sockets.size, maxOpen, connections };
  }

  await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(settings.port, "127.0.0.1", resolve);
  });
  tick();
  const origin = `${settings.tls ? "https" : "http"}://127.0.0.1:${server.address().port}`;
  return {
    url: `${origin}/events`,
    origin,
    state,
    control,
    async close() {
      clearInterval(timer);
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function reply(response, value) {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { url, origin } = await startNumberedUpstream(JSON.parse(process.argv[2] ?? "{}"));
  process.stdout.write(`${JSON.stringify({ url, origin })}\n`);
}
