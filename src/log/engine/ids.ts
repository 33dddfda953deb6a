import type { NewEvent } from "../log.ts";

/**
 * Tables have a column for each origin of an id, so that an index on one of them holds no id of the other. This is what an ingested event
 * has in the source's.
 */
export function sourceIdOf({ upstreamId, published }: NewEvent): string | undefined {
  return published ? undefined : upstreamId;
}

/** What an event has in the publisher's column: `""` if it was published without an id; absent if it was ingested. */
export function publisherIdOf({ upstreamId, published }: NewEvent): string | undefined {
  return published ? (upstreamId ?? "") : undefined;
}

/** An event's id and origin, out of the two columns. */
export function originOf(
  sourceId: string | undefined,
  publisherId: string | undefined,
): Pick<NewEvent, "upstreamId" | "published"> {
  return publisherId === undefined
    ? { upstreamId: sourceId, published: undefined }
    : { upstreamId: publisherId || undefined, published: true };
}
