import type { Command } from "commander";
import { SpillwayError } from "../../errors.ts";
import { headerFlag, readUrl } from "../flags.ts";
import { readLines } from "../read-lines.ts";
import { requestJson } from "../request.ts";

interface PublishFlags {
  readonly server: string;
  readonly stream?: string;
  readonly header: Readonly<Record<string, string>>;
  readonly event?: string;
  readonly channel?: string;
  readonly data?: string;
  readonly idempotencyKey?: string;
}

/** `spillway publish`: appends events to a stream and prints their ids. */
export function addPublish(program: Command): void {
  const command = program
    .command("publish")
    .description("publish events and print their ids, one per line")
    .argument("[url]", "address of the stream, such as http://127.0.0.1:8080/streams/chat")
    .option("--server <url>", "address of the gateway, with --stream", "http://127.0.0.1:8080")
    .option("--stream <name>", "name of the stream")
    .addOption(headerFlag())
    .option("--event <type>", "event type (default: message)")
    .option("--channel <name>", "channel (default: none)")
    .option("--data <text>", "data of a single event (default: read events from stdin, one JSON object per line)")
    .option("--idempotency-key <key>", "publish the events only once, even if the command is repeated with this key")
    .action(async (url: string | undefined, flags: PublishFlags) => {
      if (url === undefined && flags.stream === undefined)
        command.error("error: expected the URL of a stream, or --stream <name>");
      const endpoint = endpointOf(url ?? `${flags.server.replace(/\/$/, "")}/streams/${flags.stream}`);
      for await (const events of eventsOf(flags)) {
        const ids = await postEvents(endpoint, events, headersOf(flags));
        process.stdout.write(ids.map((id) => `${id}\n`).join(""));
      }
    });
}

function endpointOf(stream: string): URL {
  const url = readUrl(stream);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/events`;
  return url;
}

function headersOf({ header, idempotencyKey }: PublishFlags): Readonly<Record<string, string>> {
  return idempotencyKey === undefined ? header : { ...header, "idempotency-key": idempotencyKey };
}

/** The events in batches: those of one read form one request. With an idempotency key, all events form one request. */
async function* eventsOf(flags: PublishFlags): AsyncGenerator<object[], void> {
  const { event, channel, data, idempotencyKey } = flags;
  if (data !== undefined) {
    yield [{ event, channel, data }];
    return;
  }
  let number = 0;
  for await (const lines of readLines(process.stdin, idempotencyKey !== undefined)) {
    const events: object[] = [];
    for (const line of lines) {
      number += 1;
      if (line.trim() !== "") events.push({ event, channel, ...parseEvent(line, number) });
    }
    if (events.length > 0) yield events;
  }
}

function parseEvent(line: string, number: number): object {
  try {
    const event: unknown = JSON.parse(line);
    if (typeof event === "object" && event !== null && "data" in event) return event;
  } catch {
    // Reported below.
  }
  throw new SpillwayError("request-invalid", `stdin, line ${number}: expected a JSON object such as {"data":"…"}`);
}

/**
 * Publishes events in one request.
 * @returns their ids.
 * @throws {SpillwayError} see {@link requestJson}
 */
async function postEvents(
  endpoint: URL,
  events: readonly object[],
  headers: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { ids } = await requestJson(endpoint, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  if (!Array.isArray(ids)) throw new SpillwayError("upstream-status", "the answer contains no ids");
  return ids.map(String);
}
