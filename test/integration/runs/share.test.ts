import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGateway, type Gateway } from "spillway";
import { expect, onTestFinished, test } from "vitest";
import { bearer, makeKey } from "../../support/credentials.ts";
import { eventually } from "../../support/reader.ts";
import { startRunOrigin } from "../../support/run-origin.ts";
import { pathOf, post, stateOf } from "../../support/runs.ts";

const [ann, bob] = [makeKey("ann", { can: ["proxy"] }), makeKey("bob", { can: ["proxy"] })];

test("one client's runs hold at most half of limits.runs, also after a restart; others still start theirs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const answer = `data: ${"x".repeat(12_000)}\n\n`;
  const origin = await startRunOrigin(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).end(answer);
  });
  const open = async (): Promise<Gateway> => {
    const gateway = await createGateway({
      store: `sqlite:${folder}/runs.db`,
      access: { keys: [ann.config, bob.config] },
      limits: { runs: "40KiB" },
      runs: { "/v1/**": { upstream: { url: origin.url } } },
    });
    onTestFinished(() => gateway.close());
    return gateway;
  };
  /** Runs to the end. */
  const run = async (gateway: Gateway, { key }: typeof ann): Promise<void> => {
    const response = await post(gateway, {}, bearer(key));
    expect(response.status).toBe(200);
    await response.text();
    const path = pathOf(response);
    await eventually(async () => (await stateOf(gateway, path, bearer(key)))["state"] === "completed", "the end");
  };
  const expectRefused = async (gateway: Gateway, { key }: typeof ann): Promise<void> => {
    const refused = await post(gateway, {}, bearer(key));
    expect(await refused.json()).toMatchObject({ status: 429, code: "too-many-runs" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  };

  const gateway = await open();
  await run(gateway, ann);
  await run(gateway, ann);
  await expectRefused(gateway, ann);
  await run(gateway, bob);
  await gateway.close();
  const restarted = await open();
  await expectRefused(restarted, ann);
  await run(restarted, bob);
  await expectRefused(restarted, bob);
  expect(origin.requests).toHaveLength(4);
});
