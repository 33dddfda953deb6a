import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { UpstreamState } from "../../../src/upstream/upstream.ts";
import type { ScriptedResponse } from "../../support/numbered-upstream.js";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { createLoggedHistory } from "../../unit/upstream/logged-history.ts";
import { probe, source, upTo } from "./support.ts";

describe("stop", () => {
  const cases: [UpstreamState, ScriptedResponse | null][] = [
    ["connecting", { hang: true }],
    ["open", null],
    ["waiting", { status: 500 }],
    ["stopped", { status: 204 }],
  ];

  test.each(cases)("while %s leaves no connection and ends as idle", async (state, always) => {
    const origin = await source();
    origin.control({ always });
    const { upstream, states, untilState } = probe(origin.url, { backoff: { min: 60_000, max: 60_000, healthy: 0 } });
    upstream.start();
    await untilState(state);
    await eventually(() => origin.state().connections.length === 1);
    await upstream.stop();
    expect(upstream.status()).toMatchObject({ state: "idle", retryAt: undefined, openedAt: undefined });
    await eventually(() => origin.state().sockets === 0);
    const seen = states.length;
    origin.control({ always: null });
    upstream.start();
    await untilState("open");
    expect(origin.state().connections).toHaveLength(2);
    expect(states.slice(seen).map((status) => status.state)).toEqual(["connecting", "open"]);
  });

  test("while a TLS handshake hangs closes the socket at once", async () => {
    let open = 0;
    const server = createServer((socket) => {
      open++;
      socket.on("error", () => {}).on("close", () => open--);
      socket.resume();
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { upstream } = probe(`https://127.0.0.1:${portOf(server)}/`, {
      timeouts: { connect: 60_000, headers: 60_000, idle: 60_000 },
    });
    upstream.start();
    await eventually(() => open === 1);
    await upstream.stop();
    await eventually(() => open === 0);
  });

  test("while the headers function hangs does not wait for it", async () => {
    const { upstream } = probe("http://127.0.0.1:9/", { headers: () => new Promise<never>(() => {}) });
    upstream.start();
    await upstream.stop();
    expect(upstream.status().state).toBe("idle");
  });

  test("while delivering aborts the delivery's signal and waits for it", async () => {
    const origin = await source();
    let told = false;
    let finish = (): void => {};
    const deliver = (_batch: unknown, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => (told = true));
        finish = resolve;
      });
    const { upstream, batches, states } = probe(origin.url, {}, { deliver });
    upstream.start();
    origin.control({ emit: 1 });
    await eventually(() => upstream.status().received === 1);
    let stopped = false;
    const stopping = upstream.stop().then(() => (stopped = true));
    await eventually(() => told && origin.state().sockets === 0);
    expect(stopped).toBe(false);
    finish();
    await stopping;
    expect(batches).toHaveLength(1);
    expect(states.map(({ state }) => state)).toEqual(["connecting", "open", "idle"]);
  });

  test("while delivering a gap does not read on", async () => {
    const origin = await source({ idEvery: 0 });
    const history = createLoggedHistory();
    history.append({ events: [{ event: "message", data: "{}", id: undefined }], cursor: undefined, gap: false });
    let finish: (() => void) | undefined;
    const deliver = (): Promise<void> => new Promise((resolve) => (finish = resolve));
    const timeouts = { connect: 60_000, headers: 60_000, idle: 60_000 };
    const { upstream } = probe(origin.url, { timeouts }, { deliver }, history);
    upstream.start();
    await eventually(() => finish !== undefined);
    const stopping = upstream.stop();
    finish!();
    await stopping;
    await eventually(() => origin.state().sockets === 0);
  });

  test("ends a delivery that stops on this signal, and the events are requested again", async () => {
    const origin = await source();
    let first = true;
    const deliver = (_batch: unknown, signal: AbortSignal): Promise<void> => {
      if (!first) return Promise.resolve();
      first = false;
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    };
    const { upstream, lines, numbers, untilDelivered } = probe(origin.url, {}, { deliver });
    upstream.start();
    origin.control({ emit: 2 });
    await eventually(() => !first);
    await upstream.stop();
    expect(lines.filter(({ level }) => level === "warn")).toEqual([]);
    upstream.start();
    await untilDelivered(2);
    expect(numbers()).toEqual(upTo(2));
  });
});

describe("start and stop", () => {
  test("are idempotent and share the call in progress", async () => {
    const origin = await source();
    const { upstream, states, untilState } = probe(origin.url);
    await upstream.stop();
    expect(states).toEqual([]);
    upstream.start();
    upstream.start();
    expect(upstream.status().state).toBe("connecting");
    await untilState("open");
    upstream.start();
    const stopping = upstream.stop();
    expect(upstream.stop()).toBe(stopping);
    await stopping;
    await upstream.stop();
    expect(origin.state().connections).toHaveLength(1);
    expect(states.map(({ state }) => state)).toEqual(["connecting", "open", "idle"]);
  });

  test("in any order end in the state requested last", async () => {
    const origin = await source();
    const { upstream, untilState } = probe(origin.url);
    upstream.start();
    await untilState("open");
    const stopping = upstream.stop();
    upstream.start();
    await stopping;
    await untilState("open");
    const last = upstream.stop();
    upstream.start();
    await Promise.all([last, upstream.stop()]);
    expect(upstream.status().state).toBe("idle");
    await eventually(() => origin.state().sockets === 0);
    expect(origin.state().maxOpen).toBe(1);
  });

  test("may be called from onState", async () => {
    const origin = await source();
    const { upstream, states } = probe(origin.url, {}, {});
    const original = states.push.bind(states);
    states.push = (...all) => {
      const length = original(...all);
      if (length === 1) void upstream.stop();
      return length;
    };
    upstream.start();
    await eventually(() => upstream.status().state === "idle");
    expect(origin.state().connections).toEqual([]);
  });

  test("keep the counters and do not count the attempt of a new start as a reconnect", async () => {
    const origin = await source();
    const { upstream, untilDelivered } = probe(origin.url);
    upstream.start();
    origin.control({ emit: 2 });
    await untilDelivered(2);
    await upstream.stop();
    origin.control({ emit: 1 });
    upstream.start();
    await untilDelivered(3);
    expect(upstream.status()).toMatchObject({ received: 3, reconnects: 0, errors: 0 });
    expect(upstream.status().openedAt).toEqual(expect.any(Number));
  });
});
