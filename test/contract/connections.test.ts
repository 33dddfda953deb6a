import { afterEach, describe, expect, test } from "vitest";
import {
  createGateway,
  type ClientConnection,
  type EndedConnection,
  type Gateway,
  type GatewayConfig,
  type GatewayRuntime,
  type Logger,
} from "spillway";
import { bearer, jwtSecret, makeToken } from "../support/credentials.ts";
import { doors, type Door } from "../support/doors.ts";
import { eventually, read, type Reading } from "../support/reader.ts";

/** The hooks for clients, through every door. */

const user = bearer(makeToken({ sub: "ada", spillway: { channels: ["user:*", "news"], broadcast: true } }));

describe.each(doors)("$name", (kind) => {
  let gateway: Gateway;
  let door: Door;
  let connected: ClientConnection[];
  let ended: EndedConnection[];
  const errors: unknown[] = [];
  const log = (): void => {};
  const logger: Logger = { debug: log, info: log, warn: log, error: (fields) => void errors.push(fields) };

  async function open(hooks: GatewayRuntime = {}): Promise<void> {
    [connected, ended] = [[], []];
    errors.length = 0;
    const access = { anonymous: ["subscribe"] as const, jwt: { secret: jwtSecret } };
    const config: GatewayConfig = { listen: "127.0.0.1:0", store: "memory:", streams: { s: {}, other: {} }, access };
    gateway = await createGateway(
      { ...config, ...kind.config?.() },
      {
        logger,
        onConnect: (facts) => void connected.push(facts),
        onDisconnect: (facts) => void ended.push(facts),
        ...hooks,
      },
    );
    door = await kind.open(gateway);
  }

  async function subscribe(path: string, headers: Record<string, string> = {}): Promise<Reading> {
    const reading = read(await door.request(path, { headers }));
    await reading.until(({ events }) => events.length > 0);
    return reading;
  }

  afterEach(async () => {
    await gateway.close();
    await door.close();
  });

  test("a hook is called when a client subscribes, and when its subscription ends", async () => {
    await open();
    const reading = await subscribe("/streams/s/news?events=trade,quote*", user);
    const { client } = reading.controls("connected")[0] as { client: string };
    const facts = {
      client,
      stream: "s",
      filter: { channels: ["news"], events: ["trade", "quote*"], broadcast: false },
      subject: "jwt:ada",
      address: kind.name === "fetch" ? undefined : "127.0.0.1",
    };
    expect(connected).toEqual([facts]);
    await gateway.publish("s", [{ data: "1", channel: "news", event: "trade" }, { data: "2" }]);
    await reading.until(() => reading.data().length === 1);
    expect(ended).toEqual([]);
    await reading.cancel();
    await eventually(() => ended.length === 1);
    const counts = {
      reason: "client",
      events: 1,
      bytes: expect.any(Number) as number,
      duration: expect.any(Number) as number,
    };
    expect(ended).toEqual([{ ...facts, ...counts }]);
    expect(ended[0]!.bytes).toBeGreaterThan(0);
    expect(errors).toEqual([]);
  });

  test("a hook gets the reason why a subscription ended; refused clients and long polls do not count", async () => {
    await open();
    const reading = await subscribe("/streams/s");
    for (const path of ["/streams/none", "/streams/s?last=x", "/status"]) await (await door.request(path)).text();
    await (await door.request("/streams/s", { headers: { accept: "application/json" } })).text();
    await (await door.request("/streams/s", { method: "HEAD" })).text();
    expect(connected).toHaveLength(1);
    await gateway.close();
    expect(ended.map(({ client, reason }) => [client, reason])).toEqual([[connected[0]!.client, "drain"]]);
    await reading.cancel();
  });

  test("if a hook fails, the error is logged and its client is served", async () => {
    await open({
      onConnect() {
        throw new Error("thrown by onConnect");
      },
      onDisconnect: () => Promise.reject(new Error("rejected by onDisconnect")),
    });
    const reading = await subscribe("/streams/s");
    await gateway.publish("s", { data: "1" });
    await reading.until(() => reading.data().length === 1);
    await reading.cancel();
    await eventually(() => errors.length === 2);
    expect(errors.map((fields) => (fields as { err: Error }).err.message)).toEqual([
      "thrown by onConnect",
      "rejected by onDisconnect",
    ]);
  });

  test("subscribers are counted by the channels in their filters", async () => {
    await open();
    const readings = [
      await subscribe("/streams/s"),
      await subscribe("/streams/s/a"),
      await subscribe("/streams/s?channels=a,b*"),
      await subscribe("/streams/s?channels=__proto__&events=trade"),
      await subscribe("/streams/s", user),
      await subscribe("/streams/other/a"),
    ];
    const byChannel = Object.fromEntries([
      ["a", 2],
      ["b*", 1],
      ["__proto__", 1],
      ["user:*", 1],
      ["news", 1],
    ]);
    expect(gateway.subscribers("s")).toEqual({ total: 5, byChannel });
    expect(gateway.subscribers("other")).toEqual({ total: 1, byChannel: { a: 1 } });
    expect(() => gateway.subscribers("none")).toThrow('no stream "none"');
    await Promise.all(readings.map((reading) => reading.cancel()));
    await eventually(() => gateway.subscribers("s").total === 0);
    expect(gateway.subscribers("s")).toEqual({ total: 0, byChannel: {} });
  });
});
