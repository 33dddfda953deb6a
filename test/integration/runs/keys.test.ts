import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { startRunOrigin } from "../../support/run-origin.ts";
import { openRuns, pathOf, post, send, withoutIds } from "../../support/runs.ts";

const key = { "idempotency-key": "one" };

test("100 requests at once with one key are one request to the target, with one response for all", async () => {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin, { store: "memory:" });
  const answering = Array.from({ length: 100 }, () => post(gateway, { a: 1 }, key));
  await eventually(() => origin.requests.length > 0, "a request");
  const [request] = origin.requests;
  request!.send("data: 1\n\n");
  const responses = await Promise.all(answering);
  request!.response.end("data: 2\n\n");
  const texts = await Promise.all(responses.map((response) => response.text()));
  expect(new Set(texts).size).toBe(1);
  expect(withoutIds(texts[0]!)).toBe("data: 1\n\ndata: 2\n\n");
  expect(new Set(responses.map(pathOf)).size).toBe(1);
  expect(origin.requests).toHaveLength(1);
  expect(gateway.status().routes["/v1/**"]!.runs).toMatchObject({ started: 1, joined: 99, completed: 1 });
});

test("a key joins its run also after the end, and refuses another body", async () => {
  const origin = await startRunOrigin(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).end("data: 1\n\n");
  });
  const gateway = await openRuns(origin);
  const first = await post(gateway, { a: 1 }, key);
  const text = await first.text();
  const again = await post(gateway, { a: 1 }, key);
  expect([pathOf(again), await again.text()]).toEqual([pathOf(first), text]);
  const other = await post(gateway, { a: 2 }, key);
  expect(await other.json()).toMatchObject({ status: 422, code: "idempotency-conflict" });
  const free = await post(gateway, { a: 2 }, { "idempotency-key": "two" });
  expect(pathOf(free)).not.toBe(pathOf(first));
  expect(origin.requests).toHaveLength(2);
});

test("a key belongs to the client that used it, unless everyone may join", async () => {
  const origin = await startRunOrigin(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).end("data: 1\n\n");
  });
  for (const share of ["owner", "granted"] as const) {
    const gateway = await openRuns(origin, {
      run: { share, path: { prepend: `/${share}` } },
      access: { authorize: ({ request }) => ({ subject: request.header("x-user") ?? "nobody", can: ["proxy"] }) },
    });
    const [ann, bob] = [
      { ...key, "x-user": "ann" },
      { ...key, "x-user": "bob" },
    ];
    const runs = [await post(gateway, {}, ann), await post(gateway, {}, bob)].map(pathOf);
    expect(new Set(runs).size).toBe(share === "owner" ? 2 : 1);
    expect((await send(gateway, runs[0]!, bob)).status).toBe(share === "owner" ? 404 : 200);
  }
});

test("the key of a chat names its running response, which can be joined again by the chat's path", async () => {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin, { pattern: "/api/chat", run: { dialect: "ai-sdk", key: ["body:/id"] } });
  const chat = (messages: number): Promise<Response> => post(gateway, { id: "c 1", messages }, {}, "/api/chat");
  const rejoin = (): Promise<Response> => send(gateway, "/api/chat/c%201/stream");
  expect((await rejoin()).status).toBe(204);
  const first = chat(1);
  await eventually(() => origin.requests.length === 1, "a request");
  origin.requests[0]!.send('data: {"type":"start"}\n\n');
  await first;
  const joined = await rejoin();
  expect((await chat(2)).status).toBe(422);
  origin.requests[0]!.response.end("data: [DONE]\n\n");
  expect(withoutIds(await joined.text())).toBe('data: {"type":"start"}\n\ndata: [DONE]\n\n');
  await eventually(async () => (await rejoin()).status === 204, "the end of the run");
  const second = chat(2);
  await eventually(() => origin.requests.length === 2, "another request");
  origin.requests[1]!.send("data: {}\n\n");
  expect(pathOf(await second)).not.toBe(pathOf(await first));
});

test("DELETE of the path of a key stops its running response, for its client", async () => {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin, {
    pattern: "/api/chat",
    run: { dialect: "ai-sdk", key: ["body:/id"] },
    access: { authorize: ({ request }) => ({ subject: request.header("x-user") ?? "nobody", can: ["proxy"] }) },
  });
  const [ann, bob] = [{ "x-user": "ann" }, { "x-user": "bob" }];
  const stop = (headers: Record<string, string>): Promise<Response> =>
    send(gateway, "/api/chat/c/stream", headers, "DELETE");
  expect((await stop(ann)).status).toBe(204);
  const answering = post(gateway, { id: "c" }, ann, "/api/chat");
  await eventually(() => origin.requests.length === 1, "a request");
  origin.requests[0]!.send('data: {"type":"start"}\n\n');
  const response = await answering;
  expect((await stop(bob)).status).toBe(204);
  expect(origin.requests[0]!.isAborted()).toBe(false);
  expect((await stop(ann)).status).toBe(204);
  await origin.requests[0]!.aborted;
  expect(withoutIds(await response.text())).toBe(
    'data: {"type":"start"}\n\ndata: {"type":"abort"}\n\ndata: [DONE]\n\n',
  );
  // The key is free at once.
  void post(gateway, { id: "c", other: true }, ann, "/api/chat");
  await eventually(() => origin.requests.length === 2, "another request");
});
