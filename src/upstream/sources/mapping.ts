import { createJsonPointer, parseJson, scalarText } from "../../util/json-pointer.ts";
import type { BlockEvent } from "../batcher.ts";
import type { Attempt } from "../source.ts";
import type { Mapping, UpstreamEvent } from "../upstream.ts";

/**
 * Maximum length of an id or a type, in bytes, which is more than a publisher may use. Ids and types are kept in memory
 * and in indexes and shown on status pages, and a client could not resume at an event without its id. A longer one
 * therefore makes an event invalid.
 */
export const maxNameBytes = 2_048;

/** An event of a JSON message, and why there is none. */
export type Mapped = UpstreamEvent | { readonly refused: string };

/** Reads the parts of an event that a {@link Mapping} names. */
export interface Mapper {
  /** The event in the text of a message, which must be JSON. */
  ofText(text: string): Mapped;
  /** The event in the bytes of a message, which must only be JSON if a pointer needs it. */
  ofBytes(bytes: Uint8Array, binary?: boolean): Mapped;
  /** The event in a parsed message. `text` is its JSON text, if it is known. */
  ofValue(value: unknown, text?: string): Mapped;
  /** The part of a parsed message that is the event's data. */
  dataOf(value: unknown): unknown;
}

/**
 * Creates the mapper of a source.
 * @param maxBytes larger messages are refused by `ofBytes`. Default: the source has checked their size.
 */
export function createMapper(mapping: Mapping, maxBytes: number = Infinity): Mapper {
  const at = (pointer: string | undefined): ((value: unknown) => unknown) | undefined =>
    pointer === undefined ? undefined : createJsonPointer(pointer);
  const [idAt, eventAt, channelAt, dataAt] = [at(mapping.id), at(mapping.event), at(mapping.channel), at(mapping.data)];

  const dataOf = (value: unknown): unknown => (dataAt ? dataAt(value) : value);

  function ofValue(value: unknown, text?: string): Mapped {
    const id = scalarText(idAt?.(value));
    const event = scalarText(eventAt?.(value)) || "message";
    if (!isName(event) || (id !== undefined && !isName(id))) return invalidName;
    const part = dataOf(value);
    if (part === undefined) return { refused: "its data is missing" };
    const data = dataAt === undefined && text !== undefined ? text : textOf(part);
    if (data === undefined) return { refused: "it is nested too deeply" };
    const channel = scalarText(channelAt?.(value));
    return { event, data: withLineFeeds(data), id, ...(channel !== undefined && { channel }) };
  }

  const needsJson = [idAt, eventAt, channelAt, dataAt].some((pointer) => pointer !== undefined);
  function ofText(text: string): Mapped {
    const value = parseJson(text);
    return value === undefined ? { refused: "it is not valid JSON" } : ofValue(value, text);
  }

  function ofBytes(bytes: Uint8Array, binary: boolean = false): Mapped {
    if (bytes.length > maxBytes) return { refused: "it is larger than maxEventBytes" };
    const text = binary ? undefined : decodeUtf8(bytes);
    if (text !== undefined && needsJson) return ofText(text);
    if (text === undefined && mapping.binary !== "base64") return { refused: "it is binary; see the option binary" };
    const data = text ?? Buffer.from(bytes).toString("base64");
    return { event: "message", data: withLineFeeds(data), id: undefined };
  }

  return { ofValue, dataOf, ofText, ofBytes };
}

const invalidName = {
  refused: `its id or type is empty, longer than ${maxNameBytes} bytes, or has control characters`,
};

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Counts a message that is dropped. The reason of the first one is logged. */
export function refuse({ count }: Pick<Attempt, "count">, reason: string): void {
  count("received");
  count("refused", `a message of the source is dropped, because ${reason}; further ones are only counted`);
}

/**
 * Counts the message of a broker; resolves to whether it is new.
 * @param again whether the broker says that it has sent it before
 */
export async function isNew({ id }: UpstreamEvent, again: boolean, { count, history }: Attempt): Promise<boolean> {
  count("received");
  if (!again || id === undefined || !(await history.hasId(id))) return true;
  count("repeated");
  return false;
}

/** Passes the mapped messages of a connection on as blocks, which carry the last id from message to message. */
export function createBlocks(
  attempt: Attempt,
  first: string,
  onBlock: (block: BlockEvent) => void,
): (mapped: Mapped) => void {
  let lastEventId = first;
  return (mapped) => {
    if ("refused" in mapped) return refuse(attempt, mapped.refused);
    lastEventId = mapped.id ?? lastEventId;
    onBlock({ ...mapped, lastEventId });
  };
}

/** The JSON text of a value, or the value itself if it is text; `undefined` if it is nested too deeply for JSON. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Ids and types are lines of an event stream. */
function isName(text: string): boolean {
  return text.length > 0 && Buffer.byteLength(text) <= maxNameBytes && !/[\0\r\n]/.test(text);
}

/** The lines of an event are separated by LF. */
function withLineFeeds(text: string): string {
  return text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
}
