import { createMapper, refuse } from "./mapping.ts";
import { deltaOf, hashOf, type DeltaFormat } from "./json-delta.ts";
import type { PageReader, PageEvents } from "./page-reader.ts";
import type { PollPosition } from "./poll-position.ts";
import type { Attempt } from "../source.ts";
import type { Mapping, PollOptions, UpstreamEvent } from "../upstream.ts";

/** The event types of documents and their changes, unless the mapping determines the type. */
type DocumentEvent = "snapshot" | DeltaFormat;

/**
 * Creates a reader that stores a document when it has changed: as a whole, or only its changes. The whole document
 * follows after `snapshotEvery` changes, after a restart, and if the log no longer has the last one.
 */
export function createDocumentReader(
  { snapshotEvery }: PollOptions,
  emit: Exclude<PollOptions["emit"], "items">,
  mapping: Mapping,
): PageReader {
  const mapper = createMapper(mapping);
  /** The document that the log's last event results in; `undefined` after a start. */
  let last: { readonly document: unknown } | undefined;

  /** The changes since the last document; `undefined` if the whole document is due. */
  async function changesTo(
    document: unknown,
    size: number,
    position: PollPosition,
    attempt: Attempt,
  ): Promise<string | undefined> {
    const { base, changes = 0 } = position;
    if (emit === "snapshot" || !last || base === undefined || changes >= snapshotEvery) return undefined;
    if (!(await attempt.history.hasId(base))) return undefined;
    return deltaOf(emit, last.document, document, size);
  }

  return {
    async read(content, position, attempt) {
      const mapped = mapper.ofValue(content);
      const document = mapper.dataOf(content);
      const hash = "refused" in mapped ? undefined : hashOf(document);
      if ("refused" in mapped || hash === undefined) {
        refuse(attempt, "refused" in mapped ? mapped.refused : "it is nested too deeply");
        return nothing;
      }
      const commit = (): void => void (last = { document });
      if (hash === position.hash) return { ...nothing, commit };
      attempt.count("received");
      const count = (position.count ?? 0) + 1;
      const id = mapped.id ?? String(count);
      // Also a text is JSON here, so that clients can parse every snapshot.
      const whole = JSON.stringify(document);
      const delta = await changesTo(document, whole.length, position, attempt);
      const type: DocumentEvent = delta === undefined || emit === "snapshot" ? "snapshot" : emit;
      const event: UpstreamEvent = { ...mapped, event: mapping.event ? mapped.event : type, data: delta ?? whole, id };
      const progress = delta === undefined ? { base: id, changes: 0 } : { changes: (position.changes ?? 0) + 1 };
      return { events: [event], gap: false, change: { hash, count, ...progress }, commit };
    },
  };
}

const nothing: PageEvents = { events: [], gap: false, change: {}, commit() {} };
