import { styleText } from "node:util";
import { Option, type Command } from "commander";
import { resolveUpstream } from "../../config/resolve.ts";
import { createUpstream } from "../../upstream/create-upstream.ts";
import { loadSource } from "../../upstream/sources/load-source.ts";
import type { UpstreamBatch, UpstreamEvent, UpstreamHistory, UpstreamStatus } from "../../upstream/upstream.ts";
import { silentLogger, type Logger } from "../../util/logger.ts";
import { headerFlag, readUrl, wholeNumber } from "../flags.ts";
import { onStopSignal } from "../stop-signal.ts";

interface TailFlags {
  readonly header: Readonly<Record<string, string>>;
  readonly lastEventId?: string;
  readonly after?: string;
  readonly filter?: string;
  readonly resumeParam?: string;
  readonly json?: true;
  readonly count?: number;
}

/** `spillway tail`: follows any SSE endpoint and resumes when the connection breaks. */
export function addTail(program: Command): void {
  program
    .command("tail")
    .description("follow any SSE endpoint; reconnect and resume when the connection breaks")
    .argument("<url>", "URL of the stream")
    .addOption(headerFlag())
    .option("--last-event-id <id>", "resume after the event with this id")
    .option("--after <position>", "where to start in a Spillway stream: an event id, earliest or now")
    .option("--filter <expression>", "print only the events of a Spillway stream that match this filter expression")
    .option(
      "--resume-param <name>",
      "send the last event id in this query parameter (default: in the Last-Event-ID header)",
    )
    .option("--json", "print each event as one line of JSON")
    .addOption(new Option("--count <n>", "exit after this many events").argParser(wholeNumber(1, 1e9)))
    .action(async (url: string, flags: TailFlags) => {
      await tail(url, flags);
      process.exit(0);
    });
}

/** Resolves once `--count` events are printed, the source has ended the stream, or the user has stopped the command. */
async function tail(url: string, flags: TailFlags): Promise<void> {
  const options = resolveUpstream({
    url: withParameters(readUrl(url), flags),
    headers: flags.header,
    resume: flags.resumeParam === undefined ? "header" : { query: flags.resumeParam },
  });
  const createSource = await loadSource(options);
  const history = createTailHistory(flags.lastEventId);
  const format = flags.json ? formatEventJson : formatEvent;
  let left = flags.count ?? Infinity;

  await new Promise<void>((resolve) => {
    const upstream = createUpstream(options, createSource, { history, deliver, onState, logger: breakLogger });
    let ending = false;
    const end = (): void => {
      ending = true;
      void upstream.stop().then(resolve);
    };
    onStopSignal(end);
    upstream.start();

    async function deliver(batch: UpstreamBatch): Promise<void> {
      if (batch.gap) note("events may be missing here: the source could not resume");
      const events = batch.events.slice(0, left);
      left -= events.length;
      await print(events.map(format).join(""));
      history.add(batch);
      if (left === 0) end();
    }

    function onState({ state }: UpstreamStatus): void {
      if (ending || state === "waiting") return;
      note(state);
      if (state === "stopped") end();
    }
  });
}

/**
 * Prints only the log lines about lost connections, which have a `delay`: the others repeat the state that `onState`
 * prints.
 */
const breakLogger: Logger = { ...silentLogger, info: noteBreak, warn: noteBreak };

function noteBreak(fields: object, message: string): void {
  if ("delay" in fields) note(message);
}

function withParameters(url: URL, { after, filter }: TailFlags): string {
  if (after !== undefined) url.searchParams.set("after", after);
  if (filter !== undefined) url.searchParams.set("filter", filter);
  return url.href;
}

/** Resolves once the text is written. Exits when the reader has closed the pipe, as `| head` does. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error) resolve();
      else if ((error as NodeJS.ErrnoException).code === "EPIPE") process.exit(0);
      else reject(error);
    });
  });
}

function note(text: string): void {
  process.stderr.write(`-- ${text}\n`);
}

/** Formats an event for a terminal: time, type, id and data, with further lines of data indented. */
function formatEvent({ event, id, data }: UpstreamEvent): string {
  const time = new Date().toISOString().slice(11, 23);
  const [first = "", ...others] = printable(data).split("\n");
  const head = [style("dim", time), style("cyan", printable(event)), style("yellow", printable(id || "-")), first];
  return `${[head.join(" "), ...others.map((line) => `    ${line}`)].join("\n")}\n`;
}

/** Formats an event as one line of JSON. */
function formatEventJson({ event, id, data }: UpstreamEvent): string {
  return `${JSON.stringify({ time: new Date().toISOString(), event, id: id || undefined, data })}\n`;
}

/** Escapes control characters, which a terminal would interpret. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function style(format: "dim" | "cyan" | "yellow", text: string): string {
  const coloured = process.stdout.isTTY && !process.env["NO_COLOR"];
  return coloured ? styleText(format, text) : text;
}

/** The largest number of ids, and of events without an id, kept in memory. */
const historyLimit = 10_000;

/** What `tail` has printed, to recognize events that the source sends again. */
interface TailHistory extends UpstreamHistory {
  /** Adds a printed batch. */
  add(batch: UpstreamBatch): void;
}

/** Creates a history in memory that begins after `lastEventId`. */
function createTailHistory(lastEventId: string | undefined): TailHistory {
  const ids = new Set<string>(lastEventId === undefined ? [] : [lastEventId]);
  let cursor = lastEventId;
  let lastId = lastEventId;
  let withoutId: UpstreamEvent[] = [];
  let received = false;

  return {
    cursor: () => cursor,
    hasEvents: () => received,
    hasId: async (id) => ids.has(id),
    async *unnamedAfter(id) {
      if (id === lastId) yield* withoutId;
    },
    add(batch) {
      for (const event of batch.events) remember(event);
      cursor = batch.cursor ?? cursor;
      received ||= batch.events.length > 0;
    },
  };

  function remember(event: UpstreamEvent): void {
    if (!event.id) {
      if (withoutId.length < historyLimit) withoutId.push(event);
      return;
    }
    ids.add(event.id);
    if (ids.size > historyLimit) ids.delete(ids.values().next().value!);
    lastId = event.id;
    withoutId = [];
  }
}
