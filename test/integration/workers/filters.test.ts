import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { openWorkers, type Opened, type RemoteGateway } from "../../support/gateways.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import type { WorkersStatus } from "../../support/workers.ts";

const onlyBtc = 'data.symbol == "BTC"';
const key = makeKey("btc", { can: ["subscribe"], filter: onlyBtc });
const unlimited = makeKey("unlimited", { can: ["subscribe"] });
const btcGrants = [
  ["a key", bearer(key.key)],
  ["a token", bearer(makeToken({ sub: "ada", spillway: { filter: onlyBtc } }))],
] as const;

let opened: Opened<RemoteGateway>;
const readings: Reading[] = [];

beforeAll(async () => {
  opened = await openWorkers({
    streams: { s: { heartbeat: "100ms" } },
    access: { anonymous: ["publish", "admin"], keys: [key.config, unlimited.config], jwt: { secret: jwtSecret } },
  });
  await publish(0, 1, 2, 3);
});

afterEach(() => Promise.all(readings.splice(0).map((reading) => reading.cancel().catch(() => undefined))));

afterAll(() => opened.close());

/** Publishes trades with these prices; the even ones are of BTC. */
function publish(...prices: readonly number[]): Promise<string[]> {
  const trades = prices.map((price) => ({ data: { price, symbol: price % 2 === 0 ? "BTC" : "ETH" } }));
  return opened.gateway.publish("s", trades);
}

type Headers = Readonly<Record<string, string>>;

const pathOf = (parameters: Readonly<Record<string, string>>): string =>
  `/streams/s?${new URLSearchParams(parameters).toString()}`;

const pricesOf = (data: readonly string[]): number[] =>
  data.map((text) => (JSON.parse(text) as { readonly price: number }).price);

async function follow(parameters: Readonly<Record<string, string>>, headers: Headers): Promise<Reading> {
  const response = await opened.door.request(pathOf(parameters), { headers });
  expect(response.status).toBe(200);
  const reading = read(response);
  readings.push(reading);
  return reading.until(({ events }) => events.length > 0);
}

/** The prices in the response to a long poll. */
async function poll(parameters: Readonly<Record<string, string>>, headers: Headers): Promise<number[]> {
  const init = { headers: { accept: "application/json", ...headers } };
  const { events } = (await (await opened.door.request(pathOf(parameters), init)).json()) as {
    readonly events: ReadonlyArray<{ readonly data: string }>;
  };
  return pricesOf(events.map(({ data }) => data));
}

const status = async (): Promise<WorkersStatus> => (await opened.gateway.status()) as WorkersStatus;

/** Calls it four times: connections go to the workers in turn. */
async function onBoth<T>(call: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let n = 0; n < 4; n++) results.push(await call());
  return results;
}

test("a subscriber gets the events that match, replayed and live, whichever worker serves it", async () => {
  const path = { after: "earliest", filter: "data.price > 1" };
  const all = await onBoth(() => follow(path, bearer(unlimited.key)));
  expect((await status()).workers.every(({ subscribers }) => subscribers > 0)).toBe(true);
  await publish(0, 1, 4);
  for (const reading of all) {
    await reading.until(() => reading.data().length === 3);
    expect(pricesOf(reading.data())).toEqual([2, 3, 4]);
  }
  expect(await onBoth(() => poll({ last: "2", filter: "data.price < 4" }, bearer(unlimited.key)))).toEqual(
    Array.from({ length: 4 }, () => [0, 1]),
  );
});

test("a waiting long poll is answered with the first event that matches, whichever worker serves it", async () => {
  // Different expressions, because equal ones of a worker count once.
  const waiting = Array.from({ length: 4 }, (_, n) =>
    poll({ after: "now", filter: `data.price == 77 || data.price == ${1000 + n}`, wait: "50" }, bearer(unlimited.key)),
  );
  await eventually(async () => (await status()).streams["s"]!.filters === waiting.length);
  await publish(1, 77);
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => [77]));
});

test("a subscriber resumes at another worker after the events that did not match", async () => {
  const filter = "data.price > 1000";
  const reading = await follow({ after: "earliest", filter }, bearer(unlimited.key));
  const [skipped] = await publish(5);
  await reading.until(() => reading.events.some(({ event, id }) => event === "spillway.heartbeat" && id === skipped));
  await reading.cancel();
  await publish(2000);
  const headers = { ...bearer(unlimited.key), "last-event-id": skipped! };
  for (const resumed of await onBoth(() => follow({ filter }, headers))) {
    expect(resumed.response.headers.get("spillway-resume")).toBe("resumed");
    await resumed.until(() => resumed.data().length === 1);
    expect(pricesOf(resumed.data())).toEqual([2000]);
  }
});

test.each(btcGrants)("the filter of %s is enforced, whichever worker serves it", async (_, headers) => {
  const [start] = await publish(9, 10, 11, 12);
  expect(await onBoth(() => poll({ after: start! }, headers))).toEqual(Array.from({ length: 4 }, () => [10, 12]));
  const wide = { after: start!, filter: "data.price > 10 || data.price > 1000" };
  const all = await onBoth(() => follow(wide, headers));
  await publish(13, 14);
  for (const reading of all) {
    await reading.until(() => reading.data().length === 2);
    expect(pricesOf(reading.data())).toEqual([12, 14]);
    const { id } = reading.events.findLast(({ event }) => event === "message")!;
    expect(await poll({ after: id! }, headers)).toEqual([]);
  }
});

test("an invalid expression is refused, whichever worker is asked", async () => {
  const refused = await onBoth<unknown>(async () =>
    (await opened.door.request(pathOf({ filter: "data.price >" }), { headers: bearer(unlimited.key) })).json(),
  );
  expect(refused).toMatchObject(refused.map(() => ({ status: 400, code: "filter-invalid", position: 12 })));
});
