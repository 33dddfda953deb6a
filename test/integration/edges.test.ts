import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { openGateway, type Opened } from "../support/gateways.ts";
import { doors } from "../support/doors.ts";
import { eventually, read, type Reading } from "../support/reader.ts";

const edgeKey = `spw_${randomBytes(32).toString("base64url")}`;
const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** The keys of the Secret. */
const variables: Readonly<Record<string, string>> = {
  EDGE_KEY: edgeKey,
  EDGE_KEY_HASH: hashOf(edgeKey),
  PUBLISHER_KEY_HASH: hashOf("publisher"),
  METRICS_KEY_HASH: hashOf("metrics"),
};

/** The configuration that a part of `deploy/kubernetes` has in its ConfigMap. */
function configOf(part: "root" | "edge"): GatewayConfig {
  const file = readFileSync(join(import.meta.dirname, `../../deploy/kubernetes/${part}.yaml`), "utf8");
  const { data } = parseAllDocuments(file)[0]!.toJS() as { readonly data: { readonly "spillway.yaml": string } };
  return parse(
    data["spillway.yaml"].replaceAll(/\$\{(\w+)\}/g, (_, name: string) => variables[name]!),
  ) as GatewayConfig;
}

let root: Opened;
const edges: Gateway[] = [];

beforeEach(async () => {
  const { streams, access } = configOf("root");
  root = await openGateway(
    "sqlite",
    doors.find(({ name }) => name === "its own server")!,
    { streams, access },
  );
});

afterEach(async () => {
  await Promise.all(edges.splice(0).map((edge) => edge.close()));
  await root.close();
});

/** A deployed edge, except for the address of the root. */
async function openEdge(): Promise<Gateway> {
  const config = configOf("edge");
  const { events } = config.streams!;
  const { pathname, search } = new URL(events!.upstream!.url!);
  const { port } = await root.gateway.listen();
  const upstream = { ...events!.upstream, url: `http://127.0.0.1:${port}${pathname}${search}` };
  const edge = await createGateway({ ...config, streams: { events: { ...events, upstream } } });
  edges.push(edge);
  return edge;
}

/** Resolves when an edge has this many events. */
function holds(edge: Gateway, count: number): Promise<void> {
  const held = (): number => edge.status().streams["events"]!.events;
  return eventually(() => held() === count, `${count} events at an edge`);
}

async function subscribe(edge: Gateway, headers: Record<string, string> = {}): Promise<Reading> {
  const reading = read(await edge.fetch(new Request("http://edge.test/streams/events", { headers })));
  return reading.until(({ events }) => events.length > 0);
}

test("a client can resume at another edge, and at one that was started later", async () => {
  const publish = (...data: string[]): Promise<readonly string[]> =>
    root.gateway.publish(
      "events",
      data.map((text) => ({ data: text })),
    );
  const first = await openEdge();
  await publish("1", "2", "3");
  await holds(first, 3);
  const seen = await subscribe(first, { "last-event-id": "" });
  await publish("4");
  await seen.until(() => seen.data().length === 1);
  const id = seen.events.at(-1)!.lastEventId;

  const second = await openEdge();
  await publish("5");
  await Promise.all([holds(first, 5), holds(second, 5)]);
  for (const edge of [first, second]) {
    const reading = await subscribe(edge, { "last-event-id": id });
    expect(reading.response.headers.get("spillway-resume")).toBe("resumed");
    await reading.until(() => reading.data().length > 0);
    expect(reading.data()).toEqual(["5"]);
  }
});
