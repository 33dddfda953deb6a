import { expect, test } from "vitest";
import { startApi, type ApiAnswer } from "../../support/api-server.ts";
import { startFed } from "../../support/fed-gateway.ts";
import { eventually } from "../../support/reader.ts";

/** Answers with lines; the response stays open. */
function lines(...texts: readonly string[]): ApiAnswer {
  return (response) => void response.writeHead(200, { "content-type": "application/x-ndjson" }).write(texts.join(""));
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `{"seq":${from + index}}\n`);

test("each line of JSON is an event, with the parts that the pointers name", async () => {
  const api = await startApi(
    lines('{"t":"trade","s":"btc","p":{"price":1}}\r\n\n{"p":"text\\r\\nwith', ' lines"}\n{"p":null}\n'),
  );
  const fed = await startFed({ url: api.url, format: "ndjson", event: "/t", channel: "/s", data: "/p" });
  await fed.untilData(3);
  expect(fed.events).toEqual([
    { event: "trade", data: '{"price":1}', channel: "btc" },
    { event: "message", data: "text\nwith lines", channel: null },
    { event: "message", data: "null", channel: null },
  ]);
});

test("a source that resumes, exactly or earlier, is stored exactly once", async () => {
  const api = await startApi((response, request) => {
    const since = Number(request.query["since"] ?? 0);
    lines(...numbered(Math.max(1, since - 2), since + 5))(response, request);
    if (since < 20) setImmediate(() => response.destroy());
  });
  const fed = await startFed({ url: api.url, format: "ndjson", id: "/seq", resume: { query: "since" } });
  await fed.untilData(25);
  expect(fed.data()).toEqual(numbered(1, 25).map((line) => line.trim()));
  expect(fed.gaps()).toBe(0);
  expect(fed.status().repeated).toBeGreaterThan(0);
});

test("a source that cannot resume leaves a gap for each broken connection", async () => {
  const api = await startApi(lines(...numbered(1, 2)));
  const fed = await startFed({ url: api.url, format: "ndjson" });
  await fed.untilData(2);
  api.answer(lines(...numbered(3, 4)));
  api.cut();
  await fed.untilData(4);
  expect(fed.events.map(({ event }) => event)).toEqual(["message", "message", "spillway.gap", "message", "message"]);
});

test("invalid lines are counted and dropped, and their neighbours are stored", async () => {
  const deep = `{"id":3,"d":${"[".repeat(200_000)}${"]".repeat(200_000)}}\n`;
  const api = await startApi(
    lines('{"id":1,"d":1}\nnot json\n{"id":2}\n', deep, '{"id":"\\u0000","d":1}\n{"id":4,"d":2}\n'),
  );
  const fed = await startFed({ url: api.url, format: "ndjson", id: "/id", data: "/d" });
  await fed.untilData(2);
  expect(fed.data()).toEqual(["1", "2"]);
  expect(fed.status()).toMatchObject({ received: 6, refused: 4, errors: 0 });
  expect(fed.lines.filter((line) => line.includes("is dropped"))).toHaveLength(1);
});

test("a line without end is cut off, and the source is connected again", async () => {
  const api = await startApi(lines('{"seq":1}\n', "x".repeat(100_000)));
  const fed = await startFed({ url: api.url, format: "ndjson", maxEventBytes: "64KiB" });
  await fed.untilError("upstream-message-too-large");
  api.answer(lines('{"seq":2}\n'));
  await eventually(() => fed.data().includes('{"seq":2}'));
  expect(fed.data()[0]).toBe('{"seq":1}');
});

test("HTML is not taken for lines of JSON", async () => {
  const api = await startApi((response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>"));
  const fed = await startFed({ url: api.url, format: "ndjson" });
  await fed.untilError("upstream-content-type");
});
