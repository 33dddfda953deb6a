/**
 * The demo's language model: it answers `POST /v1/chat/completions` as OpenAI's API does, with the same words every time, and
 * needs no key. `GET /requests` says how many requests it got, and how many of them it is answering.
 *
 *     MODEL_PORT=9091 node examples/demo/model.js
 */
import { createServer } from "node:http";
import { listen } from "./part.js";

/** Time between two tokens, in ms. */
const pace = Number(process.env.MODEL_PACE ?? 60);
const answer = `A connection is a poor place to keep an answer. Tabs are reloaded, laptops sleep, trains enter tunnels, and
servers are deployed in the middle of a sentence. If the tokens exist only on the wire, every one of these loses them, and you
pay for them again. So the gateway stores each token before it sends it. The request to the model is made once, by a process
that does not care who is watching. You can reload this page now: it asks for the answer from its beginning, gets what is
stored at once, and follows the rest as it is written. You can open it on a second tab, or on ten: the model is not asked
again. You can drop the connection above, and the page continues after the last token it has seen. And if you press stop,
that is not a lost connection but a decision: the request to the model is closed, and the answer ends for everyone.`;
const tokens = answer.match(/\S+\s*/g).map((token) => token.replace("\n", " "));

let received = 0;
let open = 0;

/** Writes one token after the other, until the last one or until the client leaves. */
function write(response) {
  const id = `chatcmpl-${++received}`;
  const send = (fields) =>
    response.write(`data: ${JSON.stringify({ id, object: "chat.completion.chunk", ...fields })}\n\n`);
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  open++;
  let sent = 0;
  const timer = setInterval(() => {
    const content = tokens[sent++];
    // `token` is not part of OpenAI's API: the page counts with it.
    if (content !== undefined) return send({ token: sent, choices: [{ index: 0, delta: { content } }] });
    send({ choices: [], usage: { completion_tokens: tokens.length } });
    response.end("data: [DONE]\n\n");
    return clearInterval(timer);
  }, pace);
  response.once("close", () => {
    clearInterval(timer);
    open--;
  });
}

const server = createServer((request, response) => {
  const json = (status, value) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  if (request.method === "GET" && request.url === "/requests") return json(200, { received, open });
  if (request.method !== "POST" || request.url !== "/v1/chat/completions") return json(404, { error: "not found" });
  request.resume().once("end", () => write(response));
});

listen(server, "model", process.env.MODEL_PORT);
