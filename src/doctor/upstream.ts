import { toFailure } from "../upstream/failure.ts";
import { loadSource } from "../upstream/sources/load-source.ts";
import type { UpstreamOptions, UpstreamTarget } from "../upstream/upstream.ts";
import { fail, ok, readableTime, warn, type Check } from "./check.ts";

/** One attempt at each address of a stream's source, as the gateway makes it. What the source sends is not read. */
export function checkUpstream(stream: string, options: UpstreamOptions): Promise<readonly Check[]> {
  return Promise.all(options.targets.map((target) => checkTarget(stream, target, options)));
}

async function checkTarget(stream: string, target: UpstreamTarget, options: UpstreamOptions): Promise<Check> {
  const name = "upstream";
  const who = `${target.name} of ${stream}`;
  const startedAt = performance.now();
  try {
    const source = (await loadSource(options))();
    const found = await source.probe(target, new AbortController().signal);
    if (found === "gone") return warn(name, `${who} says by 204 that there is nothing to come`, "look at its address");
    return ok(
      name,
      `${who} answers ${answers[options.source.kind]} after ${readableTime(performance.now() - startedAt)}`,
    );
  } catch (error) {
    const { code, message, details } = toFailure(error, "upstream-connect");
    const detail = details.status ?? details.reason;
    const found = `${who}: ${code}, ${message}${detail === undefined ? "" : ` (${detail})`}`;
    return fail(name, found, `see docs/reference/errors.md for ${code}`);
  }
}

/** What each kind of source answers. */
const answers: Readonly<Record<UpstreamOptions["source"]["kind"], string>> = {
  sse: "with an event stream",
  ndjson: "with lines of JSON",
  poll: "with JSON",
  websocket: "as a WebSocket",
  redis: "as a Redis server",
  mqtt: "as an MQTT broker",
  amqp: "as an AMQP broker with this queue",
};
