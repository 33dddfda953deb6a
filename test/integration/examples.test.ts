import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { LogStore } from "spillway/log";
import { describeLogStore } from "spillway/testing";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { startExample as start, type Example } from "../support/example.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually, read, type Reading } from "../support/reader.ts";

interface ArrayStoreModule {
  createArrayStore(options: { readonly now: () => number }): LogStore;
}

/** Subscribes, and waits until the position in the stream is known. */
async function follow(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Reading> {
  const reading = read(await fetch(url, { headers }));
  return reading.until(({ events }) => events.length > 0);
}

/** Stops the example while somebody is subscribed: the goodbye comes, and the process ends with 0. */
async function expectGoodbye(example: Example, reading: Reading): Promise<void> {
  expect(await example.stop()).toBe(0);
  await reading.until(({ ended }) => ended);
  expect(reading.controls("spillway.bye")).toHaveLength(1);
}

function post(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const json = { "content-type": "application/json", ...headers };
  return fetch(url, { method: "POST", headers: json, body: JSON.stringify(body) });
}

test("express.js publishes the data that is posted to the app", async () => {
  const example = await start("express.js");
  const reading = await follow(example.url);
  const answer = await post(new URL("/orders", example.url).href, { item: "tea" });
  expect(answer.status).toBe(201);
  const { id } = (await answer.json()) as { id: string };
  await reading.until((all) => all.data().length === 1);
  expect(reading.events.at(-1)).toMatchObject({ event: "created", data: '{"item":"tea"}', id });
  await expectGoodbye(example, reading);
});

test("fetch-handler.js lets anyone subscribe, and clients with a token publish", async () => {
  const example = await start("fetch-handler.js");
  const reading = await follow(example.url);
  expect((await post(`${example.url}/events`, { data: "no" })).status).toBe(401);
  expect((await post(`${example.url}/events`, { data: "yes" }, { authorization: "Bearer secret" })).status).toBe(200);
  await reading.until((all) => all.data().length === 1);
  expect(reading.data()).toEqual(["yes"]);
  await expectGoodbye(example, reading);
});

test("publish-and-follow.js prints its own events and serves them", async () => {
  const example = await start("publish-and-follow.js");
  const reading = await follow(`${example.url}?after=earliest`);
  await reading.until((all) => all.data().length === 1);
  const { id, event, data } = reading.events.find((one) => one.event === "tick")!;
  await eventually(() => example.output().includes(`${id} ${event} `) && example.output().includes(data));
  await expectGoodbye(example, reading);
  expect(example.output()).toMatch(/closed\n$/);
});

test("typed-events/start.js publishes valid events, and refuses others", async () => {
  const example = await start("typed-events/start.js");
  const reading = await follow(example.url);
  await reading.until((all) => all.data().length === 1);
  expect(JSON.parse(reading.data()[0]!)).toMatchObject({ symbol: "btc", price: expect.any(Number) as number });
  const invalid = await post(`${example.url}/events`, { event: "trade", data: { symbol: "btc", price: "97250" } });
  expect(invalid.status).toBe(422);
  expect(await invalid.json()).toMatchObject({ issues: [{ field: "[0].data.price" }] });
  await eventually(() => /^btc \d+\.00$/m.test(example.output()), "the typed event");
  await expectGoodbye(example, reading);
});

test("reach-users.js sends to everyone, to a user, and to a connection", async () => {
  const example = await start("reach-users.js");
  const [ada, bob] = [await follow(example.url, { "x-user": "ada" }), await follow(example.url, { "x-user": "bob" })];
  const call = async (path: string, body: object): Promise<unknown> =>
    (await post(new URL(path, example.url).href, body)).json();
  await call("/broadcast", { text: "to all" });
  await call("/users/ada/notices", { text: "to ada" });
  // What is sent to a connection may overtake an event of the stream.
  await ada.until((all) => all.data().length === 2);
  const { client } = ada.controls("connected")[0]!;
  expect(await call(`/connections/${String(client)}/progress`, { done: 0.5 })).toEqual({ delivered: true });
  expect(await call("/connections/nobody/progress", { done: 1 })).toEqual({ delivered: false });
  await ada.until((all) => all.data().length === 3);
  expect(ada.data()).toEqual(['{"text":"to all"}', '{"text":"to ada"}', '{"done":0.5}']);
  await bob.until((all) => all.data().length === 1);
  expect(bob.data()).toEqual(['{"text":"to all"}']);
  const online = await fetch(new URL("/online", example.url));
  expect(await online.json()).toEqual(["ada", "bob"]); // in the order in which they connected
  await expectGoodbye(example, ada);
});

test("own-store/serve.js serves the events published to its store", async () => {
  const example = await start("own-store/serve.js");
  const reading = await follow(example.url);
  expect((await post(`${example.url}/events`, { data: "tea" })).status).toBe(200);
  await reading.until((all) => all.data().length === 1);
  expect(reading.data()).toEqual(["tea"]);
  await expectGoodbye(example, reading);
});

test("transforms/start.js stores the items of an order, each in the channel of its customer", async () => {
  const example = await start("transforms/start.js");
  const items = [
    { sku: "tea", quantity: 2 },
    { sku: "cup", quantity: 1 },
  ];
  const reading = await follow(`${example.url}?channels=customer:ada`);
  const answer = await post(`${example.url}/events`, [
    { data: { customer: "bob", items } },
    { data: { customer: "ada", items, test: true } },
    { data: { customer: "ada", items } },
  ]);
  expect(((await answer.json()) as { ids: string[] }).ids).toHaveLength(4);
  await reading.until((all) => all.data().length === 2);
  expect(reading.data()).toEqual(items.map((item) => JSON.stringify(item)));
  await expectGoodbye(example, reading);
});

test("reverse-proxy/start.js forwards clients with a key, and changes their events", async () => {
  const example = await start("reverse-proxy/start.js");
  expect((await fetch(example.url)).status).toBe(401);
  const headers = { authorization: "Bearer ada-3f9c1d7b2e6a4c58" };
  const readings: Reading[] = [];
  for (let n = 0; n < 2; n++) readings.push(await follow(example.url, headers));
  const trades = readings.map((reading) => JSON.parse(reading.data()[0]!) as { server: string; currency: string });
  expect(trades.map(({ server }) => server).toSorted()).toEqual(["a", "b"]);
  expect(trades[0]!.currency).toBe("EUR");
  for (const reading of readings) await reading.cancel();
  expect(await example.stop()).toBe(0);
});

test("webhooks-out/start.js sends what is published to an endpoint, which verifies it", async () => {
  const example = await start("webhooks-out/start.js");
  expect((await post(`${example.url}/events`, { event: "order.paid", data: { total: 3 } })).status).toBe(200);
  await eventually(() => example.output().includes('accepted order.paid {"total":3}'));
  expect(await example.stop()).toBe(0);
});

describeLogStore(
  "examples/own-store/array-store.js",
  {
    persistent: false,
    async createPlace() {
      const path = resolve(import.meta.dirname, "../../examples/own-store/array-store.js");
      const { createArrayStore } = (await import(pathToFileURL(path).href)) as ArrayStoreModule;
      return { open: async (now) => createArrayStore({ now }), remove: async () => {} };
    },
  },
  { describe, it },
);

test("sources/start.js serves a polled API and a WebSocket", async () => {
  const example = await start("sources/start.js");
  const weather = read(await fetch(`${example.url}?after=earliest`));
  const ticks = read(await fetch(`${new URL("ticks", example.url).href}?after=earliest`));
  await weather.until(({ events }) => events.some(({ event }) => event === "snapshot"));
  await ticks.until((all) => all.data().length > 0);
  expect(JSON.parse(weather.data()[0]!)).toMatchObject({ city: { name: "Lisbon" } });
  expect(JSON.parse(ticks.data()[0]!)).toEqual({ seq: 1, symbol: "btc-usd", price: 100 });
  await ticks.cancel();
  await expectGoodbye(example, weather);
});

if (!chromiumInstalled) warnMissing("Chromium", "chromium");
test.skipIf(!chromiumInstalled)("react/start.js shows live prices", async () => {
  const example = await start("react/start.js");
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(example.url);
  await eventually(async () => /^live.*-usd: \d/.test((await page.textContent("main"))!));
  await page.close();
  expect(await example.stop()).toBe(0);
});

test("resumable-llm: an answer goes on without its client, and can be joined again and stopped", async () => {
  const example = await start("resumable-llm/start.js");
  const ask = (): Promise<Response> => post(new URL("/v1/chat/completions", example.url).href, { stream: true });
  expect(await (await fetch(example.url)).text()).toContain("Ask, then reload");
  const reading = read(await ask());
  await reading.until(({ events }) => events.length > 2);
  await reading.cancel();
  const place = new URL(reading.response.headers.get("location")!, example.url);
  const rest = read(await fetch(place, { headers: { "last-event-id": reading.events.at(-1)!.id! } }));
  await rest.until(({ ended }) => ended);
  const parts = [...reading.data(), ...rest.data().slice(0, -1)].map((data) => JSON.parse(data) as Chunk);
  expect(parts.map(({ choices }) => choices[0]!.delta.content).join("")).toMatch(/^A river .* or stop it\.$/);
  expect(rest.data().at(-1)).toBe("[DONE]");
  const other = read(await ask());
  await other.until(({ events }) => events.length > 0);
  const stopped = await fetch(new URL(other.response.headers.get("location")!, example.url), { method: "DELETE" });
  expect(stopped.status).toBe(204);
  await other.until(({ ended }) => ended);
  expect(other.data().at(-1)).toBe("[DONE]");
  expect(await example.stop()).toBe(0);
});

/** A part of an answer. */
interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content: string } }[];
}

test("job-progress: two requests for a file get one job, whose progress both follow", async () => {
  const example = await start("job-progress/start.js");
  const url = `${example.url}?file=a.csv`;
  const readings = await Promise.all([1, 2].map(async () => read(await fetch(url, { method: "POST" }))));
  await Promise.all(readings.map((reading) => reading.until(({ ended }) => ended)));
  const [first, second] = readings.map(({ events }) => events);
  expect(second).toEqual(first);
  expect(first!.map(({ event }) => event)).toEqual([...Array.from({ length: 11 }, () => "progress"), "done"]);
  expect(await example.stop()).toBe(0);
});
