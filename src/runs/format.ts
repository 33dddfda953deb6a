import type { Format } from "../hub/format.ts";
import { formatCursor } from "../log/cursor.ts";
import type { RunEnd } from "./record.ts";

/** The format of a run's response: its blocks as they were written, each with an id to go on from, and nothing else. */
export function createRunFormat(epoch: string): Format {
  return {
    name: "sse",
    event({ event, seq, data }) {
      const text = event === "block" ? `${data}\n` : event === "end" ? (JSON.parse(data) as RunEnd).text : "";
      return text === "" ? "" : `id: ${formatCursor(epoch, seq)}\n${text}`;
    },
    endOf({ event, data }) {
      if (event !== "end") return undefined;
      return (JSON.parse(data) as RunEnd).cut ? "cut" : "proper";
    },
    // The API's clients would take them for a part of the response.
    unlogged: () => "",
    control: () => "",
    heartbeat: () => ":\n\n",
    checkpoint: () => "",
  };
}
