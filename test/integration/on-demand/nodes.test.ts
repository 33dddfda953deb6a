import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, read } from "../../support/reader.ts";
import { prepareNode } from "../../support/run-nodes.ts";
import { type Engine, engines } from "../../support/shared-engines.ts";
import { config, openNode } from "./rooms.ts";

/** Checks all engines at once: most of the time is spent waiting. */
async function checkEngines(check: (engine: Engine) => Promise<void>): Promise<void> {
  await Promise.all(engines.map(check));
}

describe("on every engine that nodes share", () => {
  test("what a node has published before it was killed keeps the stream as long as what the others publish", () =>
    checkEngines(async (engine) => {
      const place = engine.openPlace();
      onTestFinished(() => place.remove());
      // Longer than it takes until a node gives another one up.
      const keep = 5_000;
      const alive = await openNode(place.url, keep);
      const dying = await prepareNode(config(place.url, keep));
      await dying.start();
      const [known] = await alive.publish("room-1", { data: "one" });
      // The stream is closed after `keep`, and removed after another `keep`, by what this node has seen of it.
      await sleep(2 * keep - 500);
      const sent = performance.now();
      const response = await fetch(`${dying.url}/streams/room-1/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ data: "two" }),
      });
      const { ids } = (await response.json()) as { ids: [string] };
      await dying.kill("SIGKILL");
      const epochOf = (id: string | undefined): string => id!.split(".")[0]!;
      await sleep(keep - 300 - (performance.now() - sent));
      const [next] = await alive.publish("room-1", { data: "three" });
      const isInTime = performance.now() - sent < keep;
      expect(epochOf(ids[0]), engine.name).toBe(epochOf(known));
      expect(!isInTime || epochOf(next) === epochOf(known), engine.name).toBe(true);
    }));

  test("a subscriber of a node that did not answer is told that its stream was removed", () =>
    checkEngines(async (engine) => {
      const place = engine.openPlace();
      onTestFinished(() => place.remove());
      const alive = await openNode(place.url);
      const paused = await prepareNode(config(place.url));
      await paused.start();
      const url = `${paused.url}/streams/room-1`;
      const headers = { accept: "text/event-stream" };
      const reading = read(await fetch(url, { headers }));
      const [id] = await alive.publish("room-1", { data: "one" });
      await reading.until(() => reading.data().length === 1);
      paused.pause(true);
      await eventually(() => alive.status().onDemand["room-*"]!.streams === 0, "the stream is removed");
      await alive.publish("room-1", { data: "two" });
      paused.pause(false);
      await reading.until(({ ended }) => ended);
      expect(reading.data(), engine.name).toEqual(["one"]);
      const resumed = read(await fetch(url, { headers: { ...headers, "last-event-id": id! } }));
      await resumed.until(() => resumed.data().length === 1);
      expect([resumed.controls("spillway.reset").length, resumed.data()], engine.name).toEqual([1, ["two"]]);
      await resumed.cancel();
    }));

  test("nodes that want to remove the same streams at the same time remove them", () =>
    checkEngines(async (engine) => {
      const place = engine.openPlace();
      onTestFinished(() => place.remove());
      const first = await openNode(place.url, 60_000);
      for (let n = 0; n < 20; n++) await first.publish(`room-${n}`, { data: "x" });
      await first.close();
      const nodes = await Promise.all([1, 2, 3].map(() => openNode(place.url)));
      const known = (): number[] => nodes.map((node) => node.status().onDemand["room-*"]!.streams);
      expect(known(), engine.name).toEqual([20, 20, 20]);
      await eventually(() => known().includes(0), "the streams are removed");
    }));
});
