/** The endpoint of a delivery: it verifies each webhook (https://www.standardwebhooks.com) and accepts it once. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

/** How old a webhook may be, in seconds, so that a recorded one cannot be sent again. */
const tolerance = 300;

export async function startReceiver(secret) {
  const seen = new Set(); // in production a unique column of your database
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString(); // the bytes as they came: parse only after verifying
    if (!isGenuine(secret, request.headers, body)) return response.writeHead(401).end();
    const id = request.headers["webhook-id"];
    if (!seen.has(id)) console.log("accepted", request.headers["spillway-event"], body);
    seen.add(id);
    response.writeHead(204).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/hooks`, close: () => server.close() };
}

/** The same as `new Webhook(secret).verify(body, headers)` of the npm package `standardwebhooks`. */
function isGenuine(secret, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance) return false;
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace("v1,", ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
