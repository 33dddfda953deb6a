import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { peers, type Peer } from "../support/client-peers.ts";
import { eventually } from "../support/reader.ts";
import {
  cutting,
  ending,
  refusing,
  startScriptedServer,
  streaming,
  type Script,
  type ScriptedRequest,
} from "../support/scripted-server.ts";

/** What a client has done so far. */
interface Seen {
  readonly data: readonly string[];
  readonly requests: readonly ScriptedRequest[];
}

interface Case {
  readonly name: string;
  readonly scripts: readonly Script[];
  /** Whether it has done right; for a case that takes `patience`, what it must not do until then. */
  passes(seen: Seen): boolean;
  /** It must hold for the whole time. */
  readonly throughout?: true;
}

/** How long clients are watched, in ms. */
const watched = 9000;

const got =
  (...data: string[]) =>
  (seen: Seen): boolean =>
    JSON.stringify(seen.data) === JSON.stringify(data);
const lastIdOf = ({ requests }: Seen, index: number): unknown => requests[index]?.headers["last-event-id"];
const live = streaming("data: live\n\n");
const html = { "content-type": "text/html" };

const cases: readonly Case[] = [
  { name: "reconnects after a clean end", scripts: [ending("data: a\n\n"), live], passes: got("a", "live") },
  {
    name: "does not flood a server that ends each response",
    scripts: [ending("data: a\n\n")],
    passes: ({ requests }) => requests.length <= 15,
    throughout: true,
  },
  { name: "reconnects after 502 and 503", scripts: [refusing(502), refusing(503), live], passes: got("live") },
  {
    name: "waits for `Retry-After: 4`",
    scripts: [refusing(503, { "retry-after": "4" }), live],
    passes: ({ data, requests }) => data[0] === "live" && requests[1]!.at - requests[0]!.at >= 3990,
  },
  { name: "stops at 401", scripts: [refusing(401)], passes: ({ requests }) => requests.length <= 2, throughout: true },
  { name: "stops at 204", scripts: [refusing(204)], passes: ({ requests }) => requests.length <= 1, throughout: true },
  {
    name: "sends a fresh token with each attempt",
    scripts: [ending("data: a\n\n"), live],
    passes: ({ requests: [first, second] }) =>
      second !== undefined && first!.headers.authorization !== second.headers.authorization,
  },
  {
    name: "gets a new token when the old one expires in the middle",
    scripts: [ending("data: a\n\n"), refusing(401), live],
    passes: got("a", "live"),
  },
  {
    name: "never takes HTML for events, and tries again",
    scripts: [refusing(200, html, "<p>\ndata: html\n\n"), live],
    passes: got("live"),
  },
  {
    name: "resumes with the id of a block without data",
    scripts: [ending("id: 1\ndata: a\n\nid: 2\n\n"), live],
    passes: (seen) => lastIdOf(seen, 1) === "2" && seen.data[0] === "a" && !seen.data.includes(""),
  },
  {
    name: "resumes before a block that was cut",
    scripts: [cutting("id: 1\ndata: a\n\nid: 2\ndata: half"), live],
    passes: (seen) => lastIdOf(seen, 1) === "1" && !seen.data.includes("half"),
  },
  {
    name: "keeps its id over a second cut",
    scripts: [cutting("id: 1\ndata: a\n\n"), cutting(""), live],
    passes: (seen) => lastIdOf(seen, 1) === "1" && lastIdOf(seen, 2) === "1",
  },
  {
    name: "reads CR, CRLF and a byte order mark",
    scripts: [streaming("\uFEFFdata: a\r\rdata: b\r\n\r\n")],
    passes: got("a", "b"),
  },
  {
    name: "follows a redirect",
    scripts: [
      (response, { headers }) => response.writeHead(307, { location: `http://${headers.host}/next` }).end(),
      live,
    ],
    passes: got("live"),
  },
  {
    name: "replaces a connection that has gone silent",
    scripts: [streaming("data: a\n\n"), live],
    passes: got("a", "live"),
  },
];

/** Whether each client does each thing right. */
const results = new Map<string, Map<string, boolean>>();

/** The one for browsers uses them. */
const browserGlobals = {
  window: globalThis,
  document: { hidden: false, addEventListener() {}, removeEventListener() {} },
};

beforeAll(async () => {
  Object.assign(globalThis, browserGlobals);
  const runs = cases.flatMap((each) => peers.map(async (peer) => [each, peer, await run(each, peer)] as const));
  for (const [{ name }, peer, passed] of await Promise.all(runs)) {
    const row = results.get(name) ?? new Map<string, boolean>();
    results.set(name, row.set(peer.name, passed));
  }
});
afterAll(() => {
  for (const name of Object.keys(browserGlobals)) Reflect.deleteProperty(globalThis, name);
});

async function run({ scripts, passes, throughout }: Case, peer: Peer): Promise<boolean> {
  const server = await startScriptedServer(...scripts);
  const data: string[] = [];
  const seen: Seen = { data, requests: server.requests };
  let tokens = 0;
  const started = Date.now();
  const close = peer.open({ url: server.url, token: () => `token-${++tokens}`, take: (text) => data.push(text) });
  try {
    await eventually(() => Date.now() - started > watched || passes(seen) !== (throughout ?? false));
    return passes(seen);
  } finally {
    close();
    await server.close();
  }
}

/** The table of the page, by case and client. */
async function published(): Promise<Map<string, Map<string, boolean>>> {
  const text = await readFile(resolve(import.meta.dirname, "../../docs/reference/clients.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  const cells = rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const [, ...names] = cells[0] ?? [];
  return new Map(
    cells.slice(2).map(([name = "", ...marks]) => [name, new Map(names.map((peer, i) => [peer, marks[i] === "✓"]))]),
  );
}

test.for(cases)("spillway/client $name", ({ name }) => {
  expect(results.get(name)!.get("spillway/client")).toBe(true);
});

test("the published table has every case and client, and denies nobody what it can do", async () => {
  const table = await published();
  const measured = cases.map(({ name }) => {
    const marks = peers.map((peer) => (results.get(name)!.get(peer.name) ? "✓" : "–"));
    return `| ${[name, ...marks].join(" | ")} |`;
  });
  const header = `| case | ${peers.map(({ name }) => name).join(" | ")} |`;
  const better = cases.flatMap(({ name }) =>
    peers
      .filter((peer) => results.get(name)!.get(peer.name) && table.get(name)?.get(peer.name) !== true)
      .map((peer) => `${peer.name} ${name}`),
  );
  expect(better, [header, ...measured].join("\n")).toEqual([]);
  expect([...table.keys()]).toEqual(cases.map(({ name }) => name));
});
