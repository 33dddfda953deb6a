import { expect, onTestFinished, test } from "vitest";
import { collect } from "../../support/client.ts";
import { eventually } from "../../support/reader.ts";
import { startScriptedServer } from "../../support/scripted-server.ts";

/** `CUT_ROUNDS=1000` for the published figure. */
const cuts = Number(process.env["CUT_ROUNDS"] ?? 100);
const total = 4 * cuts;

/** The event in one of several forms, also with a mere id or a comment before it. */
function block(n: number): string {
  const id = `id: é${n}\n`;
  const forms = [
    `${id}data: ${n}\n\n`,
    `data:${n}\r\n${id}\r\n`,
    `: beat\nid: é${n - 1}\n\n${id}event: other\ndata: ${n}\n\n`,
    `${id}data: ${n}\r\r`,
  ];
  return forms[n % forms.length]!;
}

const blocks = (first: number, last: number): string =>
  Array.from({ length: last - first + 1 }, (_, i) => block(first + i)).join("");

test(`cut ${cuts} times at any byte, a subscriber gets 1..${total}`, async () => {
  let made = 0;
  const server = await startScriptedServer((response, { headers }) => {
    const last = Buffer.from(String(headers["last-event-id"] ?? "é0"), "latin1").toString();
    const from = Number(last.slice(1)) + 1;
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    if (made++ === cuts) return void response.write(blocks(from, total));
    const part = Buffer.from(blocks(from, from + 20)).subarray(0, 1 + Math.floor(Math.random() * 120));
    response.write(part, () => response.socket?.destroySoon());
  });
  onTestFinished(server.close);
  const client = collect(server.url, { backoff: { min: 1, max: 1 } });
  await eventually(() => client.events.length >= total);
  expect(client.data()).toEqual(Array.from({ length: total }, (_, i) => i + 1));
  expect(server.requests).toHaveLength(cuts + 1);
});
