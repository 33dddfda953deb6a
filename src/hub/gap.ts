import { formatCursor } from "../log/cursor.ts";
import type { Gap } from "./control.ts";

/** The hole that retention left between a position and the first event still held. */
export function trimmedGap(epoch: string, position: number, earliest: number): Gap {
  return {
    reason: "trimmed",
    requested: formatCursor(epoch, position),
    earliest: formatCursor(epoch, earliest),
    lost: earliest - position - 1,
  };
}
