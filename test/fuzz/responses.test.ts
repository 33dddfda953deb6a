import { once } from "node:events";
import { get } from "node:http";
import { createServer } from "node:net";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { portOf } from "../support/ports.ts";
import { cut, readResponse } from "../unit/http1/responses.ts";
import { budget, time } from "./budget.ts";

const text = fc.string({ unit: fc.constantFrom("a", "b", "0", "1", "\r", "\n", ":", ";", ",", " ") });
const body = fc.string({ unit: fc.constantFrom("a", "b", "\r", "\n", "0"), maxLength: 40 });

const inChunks = (pieces: readonly string[]): string =>
  pieces
    .filter((piece) => piece !== "")
    .map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`)
    .join("");

/** Responses, most of them with a few bytes put in, taken out or changed. */
const responses = fc
  .tuple(
    fc.oneof(
      body.map((all) => `HTTP/1.1 200 OK\r\nContent-Length: ${all.length}\r\n\r\n${all}`),
      fc
        .array(body, { maxLength: 4 })
        .map((pieces) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${inChunks(pieces)}0\r\nX-T: 1\r\n\r\n`),
      body.map((all) => `HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n${all}`),
      text,
    ),
    fc.array(fc.tuple(fc.nat(), fc.oneof(text, fc.constantFrom("\0", "f", "chunked")), fc.nat(2)), { maxLength: 2 }),
  )
  .map(([response, mutations]) =>
    mutations.reduce((all, [at, put, taken]) => {
      const place = all.length === 0 ? 0 : at % all.length;
      return all.slice(0, place) + put + all.slice(place + taken);
    }, response),
  );

test("a response is read in the same way, however it is cut", { timeout: time }, () => {
  fc.assert(
    fc.property(responses, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (response, sizes) => {
      const [whole, pieces] = [readResponse([response]), readResponse(cut(response, sizes))];
      // How much of the body comes ahead of an error depends on the cuts.
      if (whole.error === undefined) expect(pieces).toEqual(whole);
      else expect(pieces.error).toBe(whole.error);
    }),
    budget(1000, 1 / 2),
  );
});

test("Node's own client reads every complete response in the same way", { timeout: time }, async () => {
  let response = "";
  const server = createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.end(response, "latin1"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const port = portOf(server);

  async function oracle(): Promise<{ status: number; body: string } | undefined> {
    return new Promise((resolve) => {
      const request = get({ port, host: "127.0.0.1", agent: false }, (answer) => {
        let all = "";
        answer.setEncoding("latin1").on("data", (piece: string) => (all += piece));
        answer.on("error", () => resolve(undefined));
        answer.on("end", () => resolve({ status: answer.statusCode!, body: all }));
      });
      request.on("error", () => resolve(undefined));
    });
  }

  await fc.assert(
    fc.asyncProperty(responses, async (next) => {
      const read = readResponse([next]);
      if (!read.isDone || read.rest !== "") return;
      response = next;
      expect(await oracle()).toEqual({ status: read.heads.at(-1)!.status, body: read.body });
    }),
    budget(200, 1 / 2),
  );
});
