import { get, type IncomingMessage } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { serveGateway } from "../../support/gateway-server.ts";
import { startRunOrigin } from "../../support/run-origin.ts";
import { createParser } from "../../../src/sse/index.ts";
import { pathOf } from "../../support/runs.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How often a client is cut. */
const cuts = Number(process.env["RUN_CUTS"] ?? 1000);
const blocks = 2000;

/** Reads `bytes` of a response, then closes its connection; resolves to whether the response has ended properly. */
function readPart(url: string, id: string | undefined, bytes: number, take: (chunk: Buffer) => void): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const headers = { connection: "close", ...(id !== undefined && { "last-event-id": id }) };
    const request = get(url, { headers }, (response: IncomingMessage) => {
      let left = bytes;
      if (response.statusCode === 204) return resolve(true);
      response.on("data", (chunk: Buffer) => {
        const part = chunk.subarray(0, left);
        left -= part.length;
        if (part.length > 0) take(part);
        if (left > 0) return;
        resolve(false);
        request.destroy();
      });
      response.on("end", () => resolve(true)).on("error", () => resolve(false));
    });
    request.on("error", reject);
  });
}

test(`a client that is cut after any byte, up to ${cuts} times, ends with every block once`, async ({ annotate }) => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const origin = await startRunOrigin(({ send, response }) => {
    let next = 0;
    const timer = setInterval(() => {
      const last = Math.min(next + 20, blocks);
      for (; next < last; next++) send(`event: token\ndata: ${next} ${"x".repeat(next % 50)}\n\n`);
      if (next < blocks) return;
      clearInterval(timer);
      response.end();
    }, 5);
  });
  const run = { upstream: { url: origin.url } };
  const gateway = await serveGateway({ store: `sqlite:${folder}/runs.db`, runs: { "/v1/**": run } });
  onTestFinished(() => gateway.close());
  const response = await fetch(`${gateway.url}/v1/chat`, { method: "POST", body: "{}" });
  await response.body?.cancel();
  const url = gateway.url + pathOf(response);
  const got: string[] = [];
  let id: string | undefined;
  let done = 0;
  for (let isOver = false; !isOver; done++) {
    // Only complete blocks count, as for an `EventSource`.
    const parser = createParser({
      onEvent(event) {
        got.push(event.data);
        id = event.id;
      },
    });
    const bytes = done < cuts ? 1 + Math.floor(Math.random() * 150) : Infinity;
    isOver = await readPart(url, id, bytes, (chunk) => parser.push(chunk));
  }
  expect(got.map((data) => Number.parseInt(data))).toEqual(Array.from({ length: blocks }, (_, index) => index));
  expect(origin.requests).toHaveLength(1);
  await annotate(`${done} connections`);
});
