import { describe, expect, test } from "vitest";
import { cut, readResponse } from "./responses.ts";

const ok = "HTTP/1.1 200 OK\r\n";
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;

const responses: ReadonlyArray<[name: string, text: string, body: string]> = [
  ["with a length", `${ok}Content-Length: 5\r\n\r\nwhole`, "whole"],
  ["with the length 0", `${ok}Content-Length: 0\r\n\r\n`, ""],
  ["in chunks", `${chunked}5\r\nwhole\r\n3\r\none\r\n0\r\n\r\n`, "wholeone"],
  ["in chunks with extensions", `${chunked}5;a=b\r\nwhole\r\n0;c\r\n\r\n`, "whole"],
  ["in chunks whose sizes begin with zeros", `${chunked}0005\r\nwhole\r\n000\r\n\r\n`, "whole"],
  ["in chunks with a capital size", `${chunked}A\r\n0123456789\r\n0\r\n\r\n`, "0123456789"],
  ["behind informational ones", `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}Content-Length: 2\r\n\r\nok`, "ok"],
  ["without a reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"],
];

describe.each(responses)("a response %s", (_, text, body) => {
  test("is read to its end, and no further", () => {
    expect(readResponse([`${text}HTTP/1.1 200 OK`])).toMatchObject({ body, isDone: true, rest: "HTTP/1.1 200 OK" });
  });

  test("is the same, wherever it is cut", () => {
    const whole = readResponse([text]);
    for (let at = 1; at < text.length; at++)
      expect(readResponse([text.slice(0, at), text.slice(at)]), `cut at ${at}`).toEqual(whole);
    expect(readResponse(cut(text, [1]))).toEqual(whole);
  });

  test("is not done before its last byte", () => {
    for (let at = 0; at < text.length; at++)
      expect(readResponse([text.slice(0, at)]), `without the rest from ${at}`).toMatchObject({ isDone: false });
  });
});

test.each([
  ["HEAD", `${ok}Content-Length: 5\r\n\r\n`],
  ["HEAD", chunked],
  ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["GET", 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "1"\r\n\r\n'],
])("the response to %s in %j has no body", (method, text) => {
  expect(readResponse([text, "next"], method)).toMatchObject({ body: "", isDone: true, rest: "next" });
});

test("a response without a length ends with the connection", () => {
  expect(readResponse([`${ok}\r\nsome`, "thing"])).toMatchObject({
    body: "something",
    isDone: false,
    endsWithConnection: true,
  });
});

test("names, values and trailers are as received, without the blanks around them", () => {
  const text = `${ok}X-A: \t 1 2\t \r\nx-a:3\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nX-T: 1\r\nX-U:\r\n\r\n`;
  const { heads, trailers } = readResponse([text]);
  expect(heads).toEqual([{ status: 200, fields: ["X-A", "1 2", "x-a", "3", "Transfer-Encoding", "Chunked"] }]);
  expect(trailers).toEqual(["X-T", "1", "X-U", ""]);
});

test.each([
  ...["010", "+5", "5, 5", "5 5", "-5", "0x5", "5.0", "", "9".repeat(20)].map(
    (n) => `${ok}Content-Length: ${n}\r\n\r\n`,
  ),
  `${ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`,
  `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
  `${ok}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`,
  ...[",chunked", "chunked, chunked", "gzip, chunked", "identity", "xchunked", '"chunked"', "chunked;a", ""].map(
    (coding) => `${ok}Transfer-Encoding: ${coding}\r\n\r\n`,
  ),
  `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  ...[
    "HTTP/2.0 200 OK",
    "HTTP/1.2 200 OK",
    "HTTP/1.1 099 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1  200 OK",
    "ICY 200 OK",
  ].map((line) => `${line}\r\nContent-Length: 0\r\n\r\n`),
  ...["no colon", "X : 1", ": 1", "X\x01: 1", "X: a\0b", "X: a\rb", "X: a\nb", "X: a\r\n b"].map(
    (line) => `${ok}${line}\r\n\r\n`,
  ),
  "HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
  ...["g", "-5", "+5", " 5", "5 ", "0x5", "", ";a", "5;\0", "f".repeat(14), `5;${"a".repeat(300)}`].map(
    (size) => `${chunked}${size}\r\nwhole\r\n0\r\n\r\n`,
  ),
  `${chunked}5\nwhole\r\n0\r\n\r\n`,
  `${chunked}5\r\nwholeX\r\n0\r\n\r\n`,
  `${chunked}5\r\nwhole\n0\r\n\r\n`,
  `${chunked}0\r\nno colon\r\n\r\n`,
  `${chunked}0\r\nX: a\r\n b\r\n\r\n`,
])("%j is refused, wherever it is cut", (text) => {
  expect(readResponse([text])).toMatchObject({ error: "INVALID_RESPONSE", isDone: false });
  for (let at = 1; at < text.length; at++)
    expect(readResponse([text.slice(0, at), text.slice(at)]), `cut at ${at}`).toMatchObject({
      error: "INVALID_RESPONSE",
    });
});

test.each([ok + "X-Flood: 1\r\n".repeat(2000), chunked + "0\r\n" + "X-Flood: 1\r\n".repeat(2000)])(
  "a section that does not end is refused",
  (text) => {
    expect(readResponse([text])).toMatchObject({ error: "HEAD_TOO_LARGE" });
    expect(readResponse(cut(text, [1000]))).toMatchObject({ error: "HEAD_TOO_LARGE" });
  },
);
