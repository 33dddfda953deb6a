import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ticketUrl } from "../../../src/client/index.ts";
import { collect } from "../../support/client.ts";
import { makeKey } from "../../support/credentials.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually } from "../../support/reader.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

const web = makeKey("web", { can: ["subscribe"] });
let server: GatewayServer;

beforeAll(async () => {
  server = await serveGateway({
    store: "memory:",
    access: { keys: [web.config] },
    streams: { s: { retry: "1ms" } },
  });
});
afterAll(() => server.close());

test("a ticket is fetched, used again while it is valid, and fetched anew when it was refused", async () => {
  const proxy = await startTcpProxy(server.port);
  onTestFinished(proxy.close);
  const made: boolean[] = [];
  const fetched: string[] = [];
  const url = ticketUrl(`http://127.0.0.1:${proxy.port}/tickets`, {
    stream: "s",
    channels: ["a"],
    token: web.key,
    fetch: async (target, init) => {
      const response = await fetch(target, init);
      fetched.push(((await response.clone().json()) as { ticket: string }).ticket);
      return response;
    },
  });
  let refuse = false;
  const client = collect((attempt) => {
    made.push(attempt.refresh);
    return refuse && !attempt.refresh ? `${server.url}/streams/s?ticket=spt_unknown` : url(attempt);
  });
  const isOpen = (connections: number): Promise<void> =>
    eventually(
      () =>
        client.subscription.state.status === "open" &&
        client.statuses().filter((status) => status === "waiting").length >= connections - 1,
    );
  await isOpen(1);
  await server.gateway.publish("s", [
    { data: 1, channel: "a" },
    { data: "hidden", channel: "b" },
  ]);
  proxy.cut();
  await isOpen(2);
  expect(fetched).toHaveLength(1);
  refuse = true;
  proxy.cut();
  await isOpen(3);
  await server.gateway.publish("s", { data: 2, channel: "a" });
  await eventually(() => client.events.length === 2);
  expect(client.data()).toEqual([1, 2]);
  expect(fetched).toHaveLength(2);
  expect(made).toEqual([false, false, false, true]);
});

test("two clients with one ticket do not end each other again and again", async () => {
  const url = await ticketUrl(`${server.url}/tickets`, { stream: "s", token: web.key })({ refresh: false });
  const [first] = [collect(url)];
  await eventually(() => first.subscription.caughtUp);
  const second = collect(url);
  await eventually(() => first.subscription.state.status === "closed");
  expect(first.subscription.state).toMatchObject({ error: { code: "stream-ended", reason: "replaced", fatal: true } });
  await eventually(() => second.subscription.caughtUp);
  expect(second.codes()).toEqual([]);
});

test("a request for a ticket that is refused ends the subscription with the server's code", async () => {
  const client = collect(ticketUrl(`${server.url}/tickets`, { stream: "missing", token: web.key }));
  await eventually(() => client.subscription.state.status === "closed");
  expect(client.codes()).toEqual(["stream-unknown"]);
});
