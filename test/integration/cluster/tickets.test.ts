import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { afterEach, describe, expect, test } from "vitest";
import { bearer, jwtSecret, makeKey, makeToken, secondsFromNow } from "../../support/credentials.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startRedis } from "../../support/redis.ts";
import { engines } from "../../support/shared-engines.ts";

const web = makeKey("web", { can: ["subscribe"] });
const timeout = 60_000;

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** A node of a cluster, in this process. */
interface Node {
  readonly gateway: Gateway;
  readonly url: string;
}

async function startNode(store: string, config: Partial<GatewayConfig> = {}): Promise<Node> {
  const gateway = await createGateway({
    listen: "127.0.0.1:0",
    store,
    drain: "0s",
    streams: { s: {} },
    access: { keys: [web.config], jwt: { secret: jwtSecret, clockTolerance: "0s" } },
    ...config,
  });
  cleanUps.push(() => gateway.close());
  const { port } = await gateway.listen();
  return { gateway, url: `http://127.0.0.1:${port}` };
}

async function makeTicket({ url }: Node, credential: string = web.key): Promise<string> {
  const headers = { ...bearer(credential), "content-type": "application/json" };
  const response = await fetch(`${url}/tickets`, { method: "POST", headers, body: '{"stream":"s"}' });
  expect(response.status).toBe(201);
  return ((await response.json()) as { readonly ticket: string }).ticket;
}

const show = ({ url }: Node, ticket: string, lastId?: string): Promise<Response> =>
  fetch(`${url}/streams/s?ticket=${ticket}`, {
    headers: { accept: "text/event-stream", ...(lastId !== undefined && { "last-event-id": lastId }) },
  });

async function follow(node: Node, ticket: string, lastId?: string): Promise<Reading> {
  const response = await show(node, ticket, lastId);
  expect(response.status).toBe(200);
  const reading = read(response);
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading.until(({ events }) => events.length > 0);
}

async function expectBye(reading: Reading, reason: string): Promise<void> {
  await eventually(() => reading.ended, "the end of the response");
  expect(reading.controls("spillway.bye")).toMatchObject([{ reason }]);
}

async function expectInvalid(node: Node, ticket: string): Promise<void> {
  const response = await show(node, ticket);
  expect(response.status).toBe(401);
  expect(await response.json()).toMatchObject({ code: "ticket-invalid" });
}

describe.each(engines)("on $name", (engine) => {
  function openPlace(): string {
    const place = engine.openPlace();
    cleanUps.push(() => place.remove());
    return place.url;
  }

  test("a ticket from one node opens the stream on every node, one connection at a time", { timeout }, async () => {
    const store = openPlace();
    const nodes = [await startNode(store), await startNode(store)] as const;
    const ticket = await makeTicket(nodes[0]);
    let before: Reading | undefined;
    let lastId: string | undefined;
    for (let turn = 1; turn <= 6; turn++) {
      const reading = await follow(nodes[turn % 2]!, ticket, lastId);
      if (before) await expectBye(before, "replaced");
      [lastId] = await nodes[0].gateway.publish("s", { data: String(turn) });
      await reading.until(() => reading.data().length === 1);
      expect(reading.data()).toEqual([String(turn)]);
      before = reading;
    }
  });

  test("of many simultaneous connections on all nodes, one remains", { timeout }, async () => {
    const store = openPlace();
    const nodes = [await startNode(store), await startNode(store)] as const;
    const ticket = await makeTicket(nodes[0]);
    const readings = await Promise.all(Array.from({ length: 8 }, (_, n) => follow(nodes[n % 2]!, ticket)));
    await eventually(() => readings.filter((reading) => !reading.ended).length <= 1, "the end of all but one");
    const last = readings.find((reading) => !reading.ended);
    await nodes[0].gateway.publish("s", { data: "to the last one" });
    await last!.until(() => last!.data().length === 1);
  });

  test("a ticket must be used soon, on any node, and is then valid on all of them", { timeout }, async () => {
    const store = openPlace();
    const access = { keys: [web.config], tickets: { firstUse: "1s" } };
    const [first, second] = [await startNode(store, { access }), await startNode(store, { access })];
    const [used, unused] = [await makeTicket(first), await makeTicket(first)];
    await (await follow(first, used)).cancel();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await expectInvalid(second, unused);
    await follow(second, used);
  });

  test(
    "a node that starts later knows the tickets issued before, even when all other nodes are gone",
    { timeout },
    async () => {
      const store = openPlace();
      const first = await startNode(store);
      const ticket = await makeTicket(first);
      const reading = await follow(first, ticket);
      const second = await startNode(store);
      await follow(second, ticket);
      await expectBye(reading, "replaced");
      for (const { gateway } of [first, second]) await gateway.close();
      await follow(await startNode(store), ticket);
    },
  );

  test(
    "a flood of tickets for one subject is counted over all nodes, and evicts no other tickets",
    { timeout },
    async () => {
      const store = openPlace();
      const flooder = makeKey("flooder", { can: ["subscribe"] });
      const access = { keys: [web.config, flooder.config], tickets: { perSubject: 5 } };
      const [first, second] = [await startNode(store, { access }), await startNode(store, { access })];
      const [used, unused] = [await makeTicket(first), await makeTicket(first)];
      const reading = await follow(second, used);
      const statuses: number[] = [];
      const headers = { ...bearer(flooder.key), "content-type": "application/json" };
      for (let n = 0; n < 20; n++) {
        const response = await fetch(`${first.url}/tickets`, { method: "POST", headers, body: '{"stream":"s"}' });
        statuses.push(response.status);
      }
      expect(statuses).toEqual(Array.from({ length: 20 }, (_, n) => (n < 5 ? 201 : 429)));
      await eventually(async () => {
        const response = await fetch(`${second.url}/tickets`, { method: "POST", headers, body: '{"stream":"s"}' });
        return response.status === 429;
      }, "the other node to know of the tickets");
      await follow(second, unused);
      await reading.cancel();
      await follow(first, used);
    },
  );

  test(
    "a ticket ends with its holder's credential on every node, and a guessed one is refused",
    { timeout },
    async () => {
      const store = openPlace();
      const [first, second] = [await startNode(store), await startNode(store)];
      const token = makeToken({ sub: "ann", exp: secondsFromNow(5), spillway: { can: ["subscribe"] } });
      const ticket = await makeTicket(first, token);
      await expectBye(await follow(second, ticket), "token-expired");
      for (const node of [first, second]) await expectInvalid(node, ticket);
      await expectInvalid(second, `spt_${"x".repeat(43)}`);
    },
  );
});

describe.runIf(engines.some(({ name }) => name === "redis"))("on a Redis that was flushed", () => {
  test("tickets are still shared, and those that a node knows remain valid", { timeout }, async () => {
    const server = await startRedis();
    cleanUps.push(() => server.remove());
    const [first, second] = [await startNode(server.url), await startNode(server.url)];
    const old = await makeTicket(first);
    const readings = [await follow(first, old), await follow(second, await makeTicket(first))];
    await server.command("FLUSHALL");
    // Each node knows it.
    await eventually(() => readings.every(({ ended }) => ended), "the end of what was followed in the old log");
    await eventually(async () => {
      const ticket = await makeTicket(first).catch(() => undefined);
      if (ticket === undefined) return false;
      const response = await show(second, ticket);
      await response.body?.cancel();
      return response.status === 200;
    }, "a ticket of the new log");
    await follow(first, old);
  });
});
