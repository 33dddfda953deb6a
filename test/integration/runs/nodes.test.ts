import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, read } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { prepareRunNode, type RunNode } from "../../support/run-nodes.ts";
import { pathOf, withoutIds } from "../../support/runs.ts";
import { engines } from "../../support/shared-engines.ts";

const lease = 2000;
const openai = { dialect: "openai" } as const;

/** Starts a run on a node, which has sent one block. */
async function begin(
  node: RunNode,
  origin: RunOrigin,
  key?: string,
): Promise<{ readonly request: OriginRequest; readonly response: Response; readonly path: string }> {
  const known = origin.requests.length;
  const answering = node.post({ known: key ?? known }, key === undefined ? {} : { "idempotency-key": key });
  await eventually(() => origin.requests.length > known, "a request");
  const request = origin.requests[known]!;
  request.send("data: 1\n\n");
  const response = await answering;
  await read(response.clone()).until(({ events }) => events.length === 1);
  return { request, response, path: pathOf(response) };
}

const cutShort = /^data: 1\n\ndata: \{"error":\{"message":"the process that received the response has ended".*\}\n\n$/;

describe.each(engines)("on $name", (engine) => {
  test("any node serves, joins and stops the runs of another, and ends those of a dead one", async ({ annotate }) => {
    const place = engine.openPlace();
    onTestFinished(() => place.remove());
    const origin = await startRunOrigin();
    const config = { store: place.url, cluster: { lease }, run: openai };
    const [first, second] = [await prepareRunNode(origin.url, config), await prepareRunNode(origin.url, config)];
    const nodes = [first, second];
    await Promise.all(nodes.map((node) => node.start()));

    const shared = await begin(first, origin, "k");
    const [joined, read1] = await Promise.all([
      second.post({ known: "k" }, { "idempotency-key": "k" }),
      second.send(shared.path),
    ]);
    shared.request.response.end("data: 2\n\ndata: [DONE]\n\n");
    const texts = await Promise.all([shared.response, joined, read1].map((response) => response.text()));
    expect(withoutIds(texts[0]!)).toBe("data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
    expect(new Set(texts).size).toBe(1);
    expect(origin.requests).toHaveLength(1);

    const stopped = await begin(first, origin);
    const begun = performance.now();
    const stopping = second.send(stopped.path, { method: "DELETE" });
    await stopped.request.aborted;
    const time = performance.now() - begun;
    expect((await stopping).status).toBe(204);
    expect(withoutIds(await stopped.response.text())).toBe("data: 1\n\ndata: [DONE]\n\n");
    await annotate(`${engine.name}: stopped from another node within ${time.toFixed(0)} ms`);

    const killed = await begin(first, origin);
    const reader = await second.send(killed.path);
    await first.kill("SIGKILL");
    const end = await reader.text();
    expect(withoutIds(end)).toMatch(cutShort);
    await first.start();
    for (const node of nodes) {
      expect(await (await node.send(killed.path)).text()).toBe(end);
      expect(await node.state(killed.path)).toMatchObject({ state: "truncated", reason: "process-ended" });
    }
  });
});

test("on SQLite, a run that kill -9 has cut is over when the gateway starts again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const origin = await startRunOrigin();
  const node = await prepareRunNode(origin.url, { store: `sqlite:${folder}/runs.db`, run: openai });
  await node.start();
  const { response, path } = await begin(node, origin);
  const reading = read(response);
  await reading.until(({ events }) => events.length === 1);
  await node.kill("SIGKILL");
  await node.start();
  const rest = await node.send(path, { headers: { "last-event-id": reading.events[0]!.id! } });
  expect(`data: 1\n\n${withoutIds(await rest.text())}`).toMatch(cutShort);
  const over = await begin(node, origin, "k");
  over.request.response.end("data: [DONE]\n\n");
  expect(withoutIds(await over.response.text())).toBe("data: 1\n\ndata: [DONE]\n\n");
});

test("workers serve the runs of each other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const origin = await startRunOrigin();
  const config = { store: `sqlite:${folder}/runs.db`, workers: 2, cluster: { lease }, run: openai };
  const node = await prepareRunNode(origin.url, config);
  await node.start();
  const { request, path, response } = await begin(node, origin, "k");
  // Each request is a connection of its own, for either worker.
  const readers = await Promise.all(Array.from({ length: 6 }, () => node.send(path)));
  const joined = await Promise.all(
    Array.from({ length: 6 }, () => node.post({ known: "k" }, { "idempotency-key": "k" })),
  );
  const states = await Promise.all(Array.from({ length: 6 }, () => node.state(path)));
  expect(states.every(({ state }) => state === "running")).toBe(true);
  const stopped = await node.send(path, { method: "DELETE" });
  expect(stopped.status).toBe(204);
  await request.aborted;
  const texts = await Promise.all([response, ...readers, ...joined].map((each) => each.text()));
  expect(new Set(texts).size).toBe(1);
  expect(withoutIds(texts[0]!)).toBe("data: 1\n\ndata: [DONE]\n\n");
  expect(origin.requests).toHaveLength(1);
});
