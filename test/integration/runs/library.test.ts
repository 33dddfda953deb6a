import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway, type RunProducer } from "spillway";
import { eventually } from "../../support/reader.ts";
import { send, stateOf, withoutIds } from "../../support/runs.ts";

/** A gateway needs no stream, route or run for the runs of its program. */
async function open(store = "memory:"): Promise<Gateway> {
  const gateway = await createGateway({ store }, { logger: false });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Counts to 3, and waits at each number until the test allows it. */
function counter(): { readonly producer: RunProducer; next(): void; starts(): number; isStopped(): boolean } {
  let [starts, isStopped] = [0, false];
  let next = (): void => {};
  return {
    starts: () => starts,
    isStopped: () => isStopped,
    next: () => next(),
    async *producer(signal) {
      starts++;
      signal.addEventListener("abort", () => {
        isStopped = true;
        next();
      });
      for (let number = 1; number <= 3; number++) {
        yield { event: "progress", data: { number } };
        if (!signal.aborted) await new Promise<void>((resolve) => (next = resolve));
      }
    },
  };
}

test("a program's run is stored like that of a request, and clients join it by its id", async () => {
  const gateway = await open();
  const { producer, next, starts } = counter();
  const run = await gateway.run({ name: "jobs", key: "import-1" }, producer);
  expect(run.isNew).toBe(true);
  const again = await gateway.run({ name: "jobs", key: "import-1" }, producer);
  expect([again.isNew, again.id, starts()]).toEqual([false, run.id, 1]);
  const own = await run.response();
  const joined = await send(gateway, `/runs/${run.id}`);
  expect(await stateOf(gateway, `/runs/${run.id}`)).toMatchObject({ state: "running", route: "jobs" });
  const texts = Promise.all([own.text(), joined.text()]);
  await eventually(async () => {
    next();
    return (await run.state()).state === "completed";
  }, "the end");
  const [first, second] = await texts;
  expect(withoutIds(first)).toBe([1, 2, 3].map((number) => `event: progress\ndata: {"number":${number}}\n\n`).join(""));
  expect(second).toBe(first);
  await expect(gateway.run({ name: "jobs", key: "import-1", request: "other" }, producer)).rejects.toMatchObject({
    code: "idempotency-conflict",
  });
});

test("a producer ends with a run that is larger than it may be", async () => {
  const gateway = await open();
  let hasEnded = false;
  const run = await gateway.run({ name: "jobs", maxBytes: 300_000 }, async function* () {
    try {
      yield "x".repeat(400_000);
    } finally {
      hasEnded = true;
    }
  });
  await eventually(() => hasEnded, "the end of the producer");
  await eventually(async () => (await run.state()).reason === "too-large", "the end of the run");
});

test("stopping a program's run aborts its signal, and ends its clients", async () => {
  const gateway = await open();
  const { producer, isStopped } = counter();
  const run = await gateway.run({ name: "jobs", dialect: "openai" }, producer);
  const response = await run.response();
  expect((await send(gateway, `/runs/${run.id}`, {}, "DELETE")).status).toBe(204);
  expect(isStopped()).toBe(true);
  expect(withoutIds(await response.text())).toMatch(/data: \[DONE\]\n\n$/);
  expect(await run.state()).toMatchObject({ state: "cancelled" });
  await run.stop();
});

test("the events of a run may be a response, and a producer that throws makes the run fail", async () => {
  const gateway = await open();
  const headers = { "content-type": "text/event-stream", "x-vercel-ai-ui-message-stream": "v1" };
  const body = 'data: {"type":"start"}\n\ndata: [DONE]\n\n';
  const run = await gateway.run({ name: "chat", dialect: "ai-sdk" }, () => new Response(body, { headers }));
  const response = await run.response();
  expect(response.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
  expect(response.headers.get("spillway-run")).toBe(run.id);
  expect(withoutIds(await response.text())).toBe(body);
  const failing = await gateway.run({ name: "chat", dialect: "ai-sdk" }, async function* () {
    yield "1";
    throw new Error("secret");
  });
  const text = await (await failing.response()).text();
  expect(withoutIds(text)).toContain('data: 1\n\ndata: {"type":"error","errorText":"the run failed"}');
  expect(text).not.toContain("secret");
  expect(await failing.state()).toMatchObject({ state: "failed", reason: "producer-failed" });
});

test("a gateway that is opened again has the runs of its program before it starts another", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const store = `sqlite:${folder}/runs.db`;
  const first = await open(store);
  const run = await first.run({ name: "jobs" }, async function* () {
    yield "1";
  });
  const text = await (await run.response()).text();
  await first.close();
  const second = await open(store);
  expect(await (await send(second, `/runs/${run.id}`)).text()).toBe(text);
  expect((await send(second, "/runs/x")).status).toBe(404);
});
