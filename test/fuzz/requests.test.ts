import { createServer, type Server } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { readPlainRequest } from "../../src/adapters/raw/request-head.ts";
import { jwtSecret, makeKey, makeToken } from "../support/credentials.ts";
import { portOf } from "../support/ports.ts";
import { answersIn, openRaw, type RawAnswer } from "../support/raw-client.ts";
import { eventually } from "../support/reader.ts";
import { budget, time } from "./budget.ts";
import { wildRequests } from "./wild-requests.ts";

const key = makeKey("reader", { streams: ["s"], can: ["subscribe", "publish"] });
const token = makeToken({ sub: "ada", spillway: { streams: ["s"], can: ["subscribe"] } });
const requests = wildRequests({ key: key.key, token });

let gateway: Gateway;
let mounted: Server;
let origin: Server;
let port: number;

beforeAll(async () => {
  // Says what it has seen, in the form of a problem's code; not before a body has come whose end may be malformed.
  origin = createServer((request, response) => {
    const { method, url } = request;
    const code = `${method}${url}`.toLowerCase().replaceAll(/[^a-z]/g, "-");
    request.resume().on("end", () => {
      if (url === "/open/204") response.writeHead(204).end();
      else response.end(JSON.stringify({ code }));
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const upstream = { url: `http://127.0.0.1:${portOf(origin)}` };
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    // A mounted gateway does not check the host.
    hosts: ["*"],
    access: {
      anonymous: { can: ["subscribe"], channels: ["a"] },
      keys: [key.config],
      jwt: { secret: jwtSecret },
      cookie: "session",
      cors: { origins: ["http://localhost"], credentials: true },
    },
    streams: { s: { retention: { events: 5 } } },
    // Clients end their side here while they wait for responses.
    routes: { "/open/**": { upstream, access: "none", halfClose: "wait" }, "/closed/**": { upstream } },
    limits: {
      failedCredentials: "none",
      timeouts: { headers: "5s", body: "5s" },
      perAddress: 10_000,
      perSubject: 10_000,
    },
  });
  await gateway.publish("s", [{ data: "x", channel: "a" }, { data: "y" }]);
  ({ port } = await gateway.listen());
  mounted = createServer(gateway.node());
  // What the gateway's own server does; without it Node ends its side with the client's.
  Object.assign(mounted, { httpAllowHalfOpen: true, requireHostHeader: false });
  await new Promise<void>((resolve) => mounted.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  mounted.closeAllConnections();
  mounted.close();
  await gateway.close();
  origin.close();
});

/** After how many ms a connection counts as hanging; the gateway's own timeouts are shorter. */
const patience = 20_000;

/**
 * Sends the packets and ends its side, which ends every response; resolves to the responses.
 * @param pause turns of the event loop between the packets
 */
async function ask(to: number, packets: readonly string[], pause = 2): Promise<RawAnswer[]> {
  const { socket, all } = openRaw(to);
  for (const [i, packet] of packets.entries()) {
    if (i === packets.length - 1) socket.end(packet, "latin1");
    else await new Promise((resolve) => socket.write(packet, "latin1", resolve));
    // The gateway reads in between, in this very process.
    for (let turn = 0; turn < pause; turn++) await new Promise(setImmediate);
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    socket.destroy();
  }, patience);
  const text = await all();
  clearTimeout(timer);
  socket.destroy();
  if (late) throw new Error(`no end after ${patience} ms, but ${JSON.stringify(text)}`);
  return answersIn(text);
}

/** The properties of a response that must not depend on which parser reads the request. */
const outcome = (answers: readonly RawAnswer[]): unknown => answers.map(({ status, code }) => [status, code]);

/**
 * Without what follows the other's last answer. A head that comes in a packet of its own is read without Node's HTTP, and then its answer
 * is the connection's last and says so; what follows it is dropped.
 */
function upTo(answers: readonly RawAnswer[], other: readonly RawAnswer[]): readonly RawAnswer[] {
  return other.at(-1)?.closes ? answers.slice(0, other.length) : answers;
}

/** Cuts in front of each request. */
const byRequests = (text: string): string[] => text.split(/(?<=\r\n\r\n)(?=[A-Z]+ \/)/);

/** Cuts at these places. */
function split(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % text.length))].toSorted((a, b) => a - b);
  return [0, ...at].map((start, i) => text.slice(start, at[i])).filter((packet) => packet !== "");
}

/** Follows in a separate packet: it is answered if the connection is still open. */
const probe = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

type Input = readonly [text: string, places: readonly number[], everywhere: boolean, pause: number];

async function check([text, places, everywhere, pause]: Input): Promise<void> {
  const packets = everywhere ? Array.from(text) : split(text, places);
  const [whole, parts, each, node] = await Promise.all([
    ask(port, [text, probe]),
    ask(port, [...packets, probe]),
    // With the longer pause, most have their response before the next one is sent.
    ask(port, [...byRequests(text), probe], pause),
    ask(portOf(mounted), [text, probe]),
  ]);
  // What may be read without Node's HTTP is answered as Node's HTTP does; everything else alike, however it is split.
  const expected = readPlainRequest(Buffer.from(text, "latin1")) ? node : whole;
  for (const answers of [whole, parts, each])
    expect(outcome(upTo(expected, answers))).toEqual(outcome(upTo(answers, expected)));
  for (const answers of [whole, parts, each]) {
    const last = answers.findIndex(({ closes }) => closes);
    if (last !== -1) expect(answers.slice(last + 1)).toEqual([]);
    expect(answers.filter(({ status }) => status >= 500 && status !== 501)).toEqual([]);
  }
}

test(
  "the same bytes get the same responses, whichever parser reads them and however they are split into packets",
  async () => {
    const input = fc.tuple(
      requests,
      fc.array(fc.nat(), { maxLength: 3 }),
      fc.integer({ max: 9, min: 0 }).map((n) => n === 9),
      fc.constantFrom(2, 40),
    );
    const round = fc.array(input, { minLength: 1, maxLength: 20, size: "max" });
    const subscribers = (): number => gateway.status().streams["s"]!.subscribers;
    const active = (): number => gateway.status().routes["/open/**"]!.active;
    await fc.assert(
      fc.asyncProperty(round, async (inputs) => {
        await Promise.all(inputs.map(check));
        await eventually(() => active() === 0, "the end of all forwarded requests");
      }),
      budget(100),
    );
    await eventually(() => subscribers() === 0, "the end of all subscriptions");
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  },
  time,
);
