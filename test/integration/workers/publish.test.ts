import { resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { read } from "../../support/reader.ts";
import { startWorkers, type WorkersServer } from "../../support/workers.ts";

let server: WorkersServer;

beforeEach(async () => {
  const prices = { definition: resolve("examples/typed-events/prices.js") };
  server = await startWorkers(3, { streams: { s: {}, prices }, limits: { body: "1MiB" } });
});

afterEach(() => server.close());

const page = async (): Promise<{ events: Array<{ id: string; data: string }> }> => {
  const headers = { accept: "application/json" };
  const response = await fetch(`${server.url}/streams/s?after=earliest&limit=1000`, { headers });
  return (await response.json()) as { events: Array<{ id: string; data: string }> };
};

test("an Idempotency-Key applies to all workers", async () => {
  const answers: unknown[] = [];
  // Each request goes to the next worker.
  for (let n = 0; n < 6; n++) {
    const response = await server.publish("s", { data: "once" }, { "idempotency-key": "k1" });
    expect(response.status).toBe(200);
    expect(response.headers.get("idempotency-replayed")).toBe(n === 0 ? null : "true");
    answers.push(await response.json());
  }
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect((await page()).events).toHaveLength(1);
});

test("every worker refuses events that do not match the stream's definition", async () => {
  for (let n = 1; n <= 4; n++) {
    expect((await server.publish("prices", { event: "trade", data: { symbol: "btc", price: n } })).status).toBe(200);
    const refused = await server.publish("prices", { event: "trade", data: { price: 0 } });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      code: "event-invalid",
      issues: [{ field: "[0].data.symbol" }, { field: "[0].data.price" }],
    });
  }
  expect((await server.status()).streams["prices"]).toMatchObject({ definition: { invalid: 0, lastInvalid: null } });
});

test("a client can resume with an id from one worker at every other", async () => {
  for (let n = 1; n <= 30; n++) {
    const published = await server.publish("s", { data: String(n) });
    const [id] = ((await published.json()) as { ids: string[] }).ids;
    // At once, and on another worker, which may not know the event yet.
    const response = await fetch(`${server.url}/streams/s`, {
      headers: { "last-event-id": id!, "connection": "close", "accept": "text/event-stream" },
    });
    expect(response.headers.get("spillway-resume")).toBe("resumed");
    await response.body!.cancel();
  }
});

test("events published at once through all workers reach everyone in the same order", async () => {
  const readings = await Promise.all(
    Array.from({ length: 6 }, async () => read(await fetch(`${server.url}/streams/s`))),
  );
  await Promise.all(readings.map((reading) => reading.until(({ events }) => events.length > 0)));
  const responses = await Promise.all(
    Array.from({ length: 100 }, (_, n) => server.publish("s", [{ data: `${n} a` }, { data: `${n} b` }])),
  );
  expect(responses.every(({ status }) => status === 200)).toBe(true);
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().length === 200)));
  const logged = (await page()).events.map(({ data }) => data);
  for (const reading of readings) expect(reading.data()).toEqual(logged);
  // A batch stays together.
  for (let n = 0; n < 200; n += 2) expect(logged[n + 1]).toBe(logged[n]!.replace("a", "b"));
});

test("a refusal is the same through a worker, and texts are unchanged", async () => {
  for (let n = 0; n < 3; n++) {
    const refused = await server.publish("s", { data: "x", event: "a\nb" });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ code: "request-invalid", field: "body.event" });
  }
  await server.publish("s", { data: "1" }, { "idempotency-key": "k" });
  for (let n = 0; n < 3; n++) {
    const conflict = await server.publish("s", { data: "2" }, { "idempotency-key": "k" });
    expect(conflict.status).toBe(422);
    expect(conflict.headers.get("content-type")).toBe("application/problem+json");
    expect(await conflict.json()).toMatchObject({ code: "idempotency-conflict" });
  }
  const texts = ["ü 😀 \u0000 \u2028", "\ud800 alone", "x".repeat(500_000)];
  for (const data of texts) expect((await server.publish("s", { data })).status).toBe(200);
  const wanted = ["1", ...texts.map((text) => text.toWellFormed())];
  expect((await page()).events.map(({ data }) => data.toWellFormed())).toEqual(wanted);
});

test("events that were not stored are not reported as stored", async () => {
  const pending = Array.from({ length: 200 }, async (_, n) => {
    const response = await server.publish("s", { data: String(n) }).catch(() => undefined);
    return response?.status === 200 ? String(n) : undefined;
  });
  await Promise.race(pending);
  await server.program.kill("SIGKILL");
  const reported = (await Promise.all(pending)).filter((data) => data !== undefined);
  await server.restart();
  const stored = (await page()).events.map(({ data }) => data);
  expect(stored).toEqual(expect.arrayContaining(reported));
});
