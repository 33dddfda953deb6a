import { styleText } from "node:util";
import type { UpstreamEvent } from "../upstream/upstream.ts";

/** Formats an event for a terminal: time, type, id and data, with further lines of data indented. */
export function formatEvent({ event, id, data }: UpstreamEvent): string {
  const time = new Date().toISOString().slice(11, 23);
  const [first = "", ...others] = printable(data).split("\n");
  const head = [style("dim", time), style("cyan", printable(event)), style("yellow", printable(id || "-")), first];
  return `${[head.join(" "), ...others.map((line) => `    ${line}`)].join("\n")}\n`;
}

/** Formats an event as one line of JSON. */
export function formatEventJson({ event, id, data }: UpstreamEvent): string {
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
