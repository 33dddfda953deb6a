import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedGateway, type NumberedGateway } from "../support/numbered-gateway.ts";
import { testPatience } from "../support/patience.ts";

/** How often the gateway is killed: `KILL_ROUNDS=500 npx vitest run test/integration/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 8);

let gateway: NumberedGateway;

beforeEach(async () => {
  gateway = await startNumberedGateway(6);
});

afterEach(() => gateway.close());

const aWhile = (): Promise<void> => gateway.progress(1 + Math.floor(Math.random() * 60));

test(
  `kill -9, ${rounds} times: every client ends with exactly 1..M`,
  { timeout: testPatience + rounds * 10_000 },
  async () => {
    for (let round = 0; round < rounds; round++) {
      await aWhile();
      expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
      await gateway.start();
    }
    await gateway.finish();
    for (const { connections } of gateway.readers) expect(connections).toBeGreaterThan(rounds / 2);
  },
);

test("SIGTERM, 3 times: it exits with 0, and every client ends with exactly 1..M", async () => {
  for (let round = 0; round < 3; round++) {
    await aWhile();
    expect(await gateway.kill("SIGTERM")).toBe(0);
    await gateway.start();
  }
  await gateway.finish();
});

test("20 stalled readers change nothing, even with kills", async () => {
  const stalled: Socket[] = [];
  for (let round = 0; round < 3; round++) {
    stalled.push(...Array.from({ length: 20 }, () => stall(gateway.port)));
    await gateway.progress(100);
    expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
    await gateway.start();
  }
  await gateway.finish();
  for (const socket of stalled) socket.destroy();
});

/** A client that requests all events and reads nothing. */
function stall(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(`GET /streams/numbers?after=earliest HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}
