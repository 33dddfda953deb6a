import { once } from "node:events";
import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import type { GatewayStatus } from "../../../src/gateway/gateway.ts";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { askAgain, startWorkers, untilEnded } from "../../support/workers.ts";

test("any worker shows the requests of a route in all workers, also in those that have ended", async () => {
  const origin = createServer((_request, response) => response.end("done")).listen(0, "127.0.0.1");
  await once(origin, "listening");
  onTestFinished(() => void origin.close());
  const server = await startWorkers(2, {
    streams: { s: {} },
    routes: { "/api/**": { upstream: { url: `http://127.0.0.1:${portOf(origin)}` }, access: "none" } },
  });
  onTestFinished(() => server.close());
  const get = (path: string): Promise<string> =>
    askAgain(async () => (await fetch(`${server.url}${path}`, { headers: { connection: "close" } })).text());
  const count = async (): Promise<number | undefined> => {
    const { routes } = JSON.parse(await get("/status")) as GatewayStatus;
    return routes["/api/**"]?.requests;
  };
  for (let i = 0; i < 6; i++) expect(await get("/api/x")).toBe("done");
  expect([await count(), await count()]).toEqual([6, 6]);
  expect(await get("/metrics")).toContain('spillway_route_requests_total{route="/api/**",status="2xx"} 6\n');
  const [worker] = await server.pids();
  process.kill(worker!, "SIGKILL");
  await untilEnded([worker!]);
  await eventually(async () => (await server.pids()).filter((pid) => pid !== worker).length === 2);
  await get("/api/x");
  await eventually(async () => (await count()) === 7);
});
