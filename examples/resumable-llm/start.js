/**
 * A gateway in front of a model, whose answers survive reloads and dead connections. The model is a fake that needs no key.
 *
 *     node examples/resumable-llm/start.js
 *     curl -N -i http://127.0.0.1:8080/v1/chat/completions -d '{"stream":true}'
 */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createGateway } from "spillway";

const answer =
  "A river keeps running while nobody looks, and so does this answer: reload the page, open it twice, or stop it.";

/** Answers like OpenAI's chat completions, a word at a time. */
const model = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "text/event-stream" });
  const words = answer.split(/(?<= )/);
  const timer = setInterval(() => {
    const content = words.shift();
    if (content === undefined) return void response.end("data: [DONE]\n\n");
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
  }, 200);
  response.once("close", () => clearInterval(timer)); // the run was stopped, or the answer is complete
});
await new Promise((resolve) => model.listen(0, "127.0.0.1", resolve));

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  static: fileURLToPath(new URL("public", import.meta.url)),
  runs: {
    "/v1/**": { upstream: { url: `http://127.0.0.1:${model.address().port}` }, dialect: "openai" },
  },
  drain: "1s",
});
const { host, port } = await gateway.listen();
console.log(`ask at http://${host}:${port}/`);

for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, async () => {
    await gateway.close();
    model.close();
  });
