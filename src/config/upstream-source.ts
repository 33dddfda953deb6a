/** The options of an upstream that determine how its events are obtained. */
import { z } from "zod";
import type { PollOptions, UpstreamOptions } from "../upstream/upstream.ts";
import type { PollConfig } from "./config.ts";
import { duration, jsonPointer, object, percentage, positive, text, whole } from "./fields.ts";

type PollSettings = Omit<PollOptions, "kind">;

const cursor = object({
  from: jsonPointer.describe("JSON pointer to the position in a response."),
  query: text("a parameter's name", (name) => /^[\x21-\x7e]{1,128}$/.test(name)).describe(
    "Query parameter of the next request that has this position as its value.",
  ),
  pages: positive(100, 10_000).describe(
    "Maximum number of pages in a row without waiting. The next page is requested at once if a page has new items and another position.",
  ),
}).meta({ title: "PollCursorConfig", description: "The position that an API returns and takes." });

/** The `poll` section. */
export const pollSchema: z.ZodType<PollSettings, PollConfig> = whole(
  object({
    every: duration("10s", 10).describe(
      "Time between two requests. `Cache-Control: max-age` of the response extends it, up to 5 minutes.",
    ),
    jitter: percentage("10%").describe("How much longer or shorter this time randomly is."),
    emit: z
      .enum(["items", "snapshot", "merge-patch", "json-patch"])
      .default("items")
      .describe(
        "What becomes an event. `items`: each new item of a list. `snapshot`: the document if it has changed, with the type `snapshot`. `merge-patch` (RFC 7396) and `json-patch` (RFC 6902): its changes, with this type, and sometimes a `snapshot`.",
      ),
    items: jsonPointer
      .optional()
      .describe("JSON pointer to the list of items, at most 10,000. Default: the whole response."),
    reverse: z.boolean().default(false).describe("Whether the API lists the newest item first."),
    cursor: cursor.optional(),
    snapshotEvery: positive(100, 1_000_000).describe(
      "Number of changes after which the whole document is sent again. It is also sent after a restart, and if retention has deleted the last one.",
    ),
  }),
).meta({ title: "PollConfig", description: "Requests JSON again and again, and stores what is new." });

/** The options of an upstream after parsing that are read here. */
export interface ParsedSource {
  readonly format?: "sse" | "ndjson" | undefined;
  readonly poll?: PollSettings | undefined;
  readonly id?: string | undefined;
  readonly event?: string | undefined;
  readonly channel?: string | undefined;
  readonly data?: string | undefined;
}

/** Replaces these options by the kind of the source and its mapping. */
export function toSource<Parsed extends ParsedSource>({
  format = "sse",
  poll,
  id,
  event,
  channel,
  data,
  ...rest
}: Parsed): Omit<Parsed, keyof ParsedSource> & Pick<UpstreamOptions, "source" | "mapping"> {
  return {
    ...rest,
    source: poll ? { kind: "poll", ...poll } : { kind: format },
    mapping: { id, event, channel, data },
  };
}

/** The inverse of {@link toSource}. */
export function fromSource({ source, mapping }: Pick<UpstreamOptions, "source" | "mapping">): ParsedSource {
  const pointers = Object.entries(mapping).filter(([, pointer]) => pointer !== undefined);
  const { kind, ...rest } = source;
  return { ...Object.fromEntries(pointers), ...(kind === "poll" ? { poll: rest as PollSettings } : { format: kind }) };
}

/** Checks options that are valid alone but not together: yields the invalid option and what was expected. */
export function* sourceContradictions(parsed: ParsedSource): Generator<[path: string[], expected: string]> {
  const { format = "sse", poll: polled, event } = parsed;
  if (polled && parsed.format !== undefined) yield [["format"], "nothing, because poll expects JSON"];
  if (!polled && format === "sse")
    for (const key of ["id", "event", "channel", "data"] as const)
      if (parsed[key] !== undefined)
        yield [[key], "nothing, because an event stream has its own fields; see format and poll"];
  if (event !== undefined && polled?.emit.endsWith("-patch"))
    yield [["event"], "nothing, because the type distinguishes documents from their changes"];
  if (polled?.cursor && polled.emit !== "items")
    yield [["poll", "cursor"], "nothing, because only items have a position"];
}
