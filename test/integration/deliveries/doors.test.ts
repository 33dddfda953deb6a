import { createGateway, type DeliveryStatus } from "spillway";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { secret, startReceiver } from "../../support/receiver.ts";
import { startWorkers } from "../../support/workers.ts";
import { runCli } from "../cli/cli.ts";

test("`spillway deliveries` lists, shows, pauses and resumes, by the admin API of a gateway", async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const gateway = await createGateway(
    {
      store: "memory:",
      listen: "127.0.0.1:0",
      access: { anonymous: ["admin"] },
      streams: { orders: {} },
      deliveries: { billing: { stream: "orders", url: receiver.url, sign: { secret }, allowPrivate: true } },
    },
    { logger: false },
  );
  onTestFinished(() => gateway.close());
  const { port } = await gateway.listen();
  const deliveries = (...args: string[]): ReturnType<typeof runCli> =>
    runCli(["deliveries", ...args, "--server", `http://127.0.0.1:${port}`]);
  await gateway.publish("orders", { data: "1" });
  await eventually(() => gateway.deliveries.status()["billing"]!.delivered === 1);

  const [list, paused, unknown] = await Promise.all([
    deliveries(),
    deliveries("pause", "billing"),
    deliveries("retry", "nobody", "--json"),
  ]);
  expect(list.stdout).toMatch(/^billing +(active|paused) +orders +0 +0 +1 +0 +0 +-$/m);
  expect([paused.code, paused.stderr]).toEqual([0, ""]);
  expect(paused.stdout).toMatch(/^state +paused$/m);
  expect([unknown.code, unknown.stdout]).toEqual([1, ""]);
  expect(unknown.stderr).toContain("delivery-unknown");

  const shown = await deliveries("show", "billing", "--json");
  expect(JSON.parse(shown.stdout)).toMatchObject({ name: "billing", state: "paused", delivered: 1 });
  expect(JSON.stringify([list, shown, gateway.status()])).not.toMatch(/whsec_|hook/);
});

test("with workers the primary delivers, and every worker shows and controls it", async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const server = await startWorkers(2, {
    streams: { orders: {} },
    deliveries: { billing: { stream: "orders", url: receiver.url, allowPrivate: true } },
  });
  onTestFinished(() => server.close());
  const request = async (method: string, path = ""): Promise<DeliveryStatus> => {
    const headers = { connection: "close" };
    const response = await fetch(`${server.url}/admin/deliveries/billing${path}`, { method, headers });
    expect(response.status).toBe(200);
    return (await response.json()) as DeliveryStatus;
  };
  await server.publish("orders", [{ data: 1 }, { data: 2 }]);
  await receiver.count(2);
  for (let turn = 0; turn < 3; turn++) expect(await request("POST", "/pause")).toMatchObject({ state: "paused" });
  await server.publish("orders", [{ data: 3 }]);
  expect(await request("POST", "/resume")).toMatchObject({ state: "active" });
  await receiver.count(3);
  expect(receiver.data()).toEqual(["1", "2", "3"]);
  await eventually(async () => (await request("GET")).delivered === 3);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('spillway_delivery_webhooks_total{delivery="billing"} 3');
});
