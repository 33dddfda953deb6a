import { expect, onTestFinished, test } from "vitest";
import { createGateway } from "spillway";
import { makeKey } from "../../support/credentials.ts";
import { eventually } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";
import { startWorkers } from "../../support/workers.ts";

/** A session of the dashboard is valid in every process of a gateway, and ends in all of them. */

const ops = makeKey("ops", { can: ["admin", "inspect"] });
const asked = { "spillway-dashboard": "1", "connection": "close", "sec-fetch-site": "same-origin" };

async function login(origin: string): Promise<Record<string, string>> {
  const response = await fetch(`${origin}/dashboard/session`, {
    method: "POST",
    headers: asked,
    body: JSON.stringify({ key: ops.key }),
  });
  expect(response.status, await response.clone().text()).toBe(201);
  return { ...asked, cookie: response.headers.get("set-cookie")!.split(";")[0]! };
}

const statusOf = async (origin: string, headers: Record<string, string>): Promise<number> => {
  const response = await fetch(`${origin}/status`, { headers });
  await response.text();
  return response.status;
};

test("with workers, a session is valid in each of them, for several subscriptions, and ends in all", async () => {
  const access = { keys: [ops.config] };
  const server = await startWorkers(3, { streams: { s: {} }, access, dashboard: true });
  onTestFinished(() => server.close());
  const headers = await login(server.url);
  // Each request has a connection of its own, and the next worker serves it.
  for (let i = 0; i < 6; i++) expect(await statusOf(server.url, headers)).toBe(200);
  const open = Array.from({ length: 6 }, async () => {
    const response = await fetch(`${server.url}/streams/s`, { headers });
    expect(response.status).toBe(200);
    return response.text();
  });
  await eventually(async () => {
    const response = await fetch(`${server.url}/admin/subscribers`, { headers });
    return ((await response.json()) as { subscribers: unknown[] }).subscribers.length === 6;
  }, "six subscriptions at once");
  const out = await fetch(`${server.url}/dashboard/session`, { method: "DELETE", headers });
  expect(out.status).toBe(200);
  for (const text of await Promise.all(open)) expect(text).toContain('"reason":"revoked"');
  for (let i = 0; i < 6; i++) expect(await statusOf(server.url, headers)).toBe(401);
});

test.each(engines)("on $name, a session is valid on each node, and ends on all", async (engine) => {
  const place = engine.openPlace();
  onTestFinished(() => place.remove());
  const start = async (node: string): Promise<string> => {
    const gateway = await createGateway(
      {
        listen: "127.0.0.1:0",
        store: place.url,
        cluster: { node },
        dashboard: true,
        access: { keys: [ops.config] },
        streams: { s: {} },
      },
      { logger: false },
    );
    onTestFinished(() => gateway.close());
    return `http://127.0.0.1:${(await gateway.listen()).port}`;
  };
  const [a, b] = [await start("a"), await start("b")];
  const headers = await login(a);
  expect(await statusOf(a, headers)).toBe(200);
  expect(await statusOf(b, headers)).toBe(200);
  const onA = fetch(`${a}/streams/s`, { headers }).then((response) => response.text());
  await eventually(async () => {
    const response = await fetch(`${b}/admin/subscribers`, { headers });
    return ((await response.json()) as { subscribers: unknown[] }).subscribers.length === 1;
  }, "the subscription, seen from the other node");
  expect((await fetch(`${b}/dashboard/session`, { method: "DELETE", headers })).status).toBe(200);
  expect(await onA).toContain('"reason":"revoked"');
  expect(await statusOf(b, headers)).toBe(401);
  await eventually(async () => (await statusOf(a, headers)) === 401, "the end of the session on the other node");
});
