import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedGateway, type NumberedGateway } from "../../support/numbered-gateway.ts";
import { eventually } from "../../support/reader.ts";
import { statusOf, untilEnded } from "../../support/workers.ts";
import { testPatience } from "../../support/patience.ts";

/** How often a process is killed: `KILL_ROUNDS=500 npx vitest run test/integration/workers/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 5);
const workers = 3;

let gateway: NumberedGateway;

beforeEach(async () => {
  gateway = await startNumberedGateway(8, undefined, { workers });
});

afterEach(() => gateway.close());

const aWhile = (): Promise<void> => gateway.progress(1 + Math.floor(Math.random() * 60));

/** The workers, once all of them serve. */
async function allWorkers(): Promise<number[]> {
  let pids: number[] = [];
  await eventually(async () => {
    const status = await statusOf(`http://127.0.0.1:${gateway.port}`).catch(() => undefined);
    pids = status?.workers.map(({ pid }) => pid) ?? [];
    return pids.length === workers;
  }, "a full number of workers");
  return pids;
}

const any = (pids: readonly number[]): number => pids[Math.floor(Math.random() * pids.length)]!;

test(
  `kill -9 of a worker, and of the primary at times, ${rounds} times: every client ends with exactly 1..M`,
  {
    timeout: testPatience + rounds * 10_000,
  },
  async () => {
    for (let round = 1; round <= rounds; round++) {
      const before = await allWorkers();
      await aWhile();
      if (round % 5 === 0) {
        expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
        // Without a primary nobody serves on.
        await untilEnded(before);
        await gateway.start();
      } else {
        const victim = any(before);
        process.kill(victim, "SIGKILL");
        await untilEnded([victim]);
      }
    }
    expect(await allWorkers()).toHaveLength(workers);
    await gateway.finish();
  },
);

test("all workers at once, 3 times: every client ends with exactly 1..M", async () => {
  for (let round = 0; round < 3; round++) {
    const before = await allWorkers();
    await aWhile();
    for (const pid of before) process.kill(pid, "SIGKILL");
    await untilEnded(before);
  }
  await gateway.finish();
});

test("SIGTERM, 2 times: it exits with 0, and every client ends with exactly 1..M", async () => {
  for (let round = 0; round < 2; round++) {
    const before = await allWorkers();
    await aWhile();
    expect(await gateway.kill("SIGTERM")).toBe(0);
    await untilEnded(before);
    await gateway.start();
  }
  await gateway.finish();
});
