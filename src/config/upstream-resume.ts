/** How the last event id is sent to a source. */
import { z } from "zod";
import type { UpstreamOptions } from "../upstream/upstream.ts";
import type { UpstreamConfig } from "./config.ts";
import { invalid, isLabel, object, text, value } from "./fields.ts";

/** YAML reads a `0` as a number. */
const initialId = value<string | number, string>({
  expected: "a value to send while no id is stored, such as $ or 0",
  type: ["string", "number"],
  parse: (input) => {
    const id = typeof input === "number" ? String(input) : input;
    return typeof id === "string" && isLabel(id) ? id : invalid;
  },
});

const resumeQuery = object({
  query: text("a parameter's name", isLabel).describe("Query parameter that has the last event id as its value."),
  initial: initialId.optional().describe("Value while no id is stored. Default: no parameter."),
}).meta({ title: "ResumeQueryConfig", description: "Sends the last event id in the query." });

const resumeMessage = object({
  message: text("a text with {id}", (message) => message.includes("{id}"), { secret: true }).describe(
    "Message that has the last event id in the place of `{id}`, escaped as in a JSON string.",
  ),
  initial: initialId.optional().describe("Value while no id is stored. Default: the message is not sent."),
}).meta({ title: "ResumeMessageConfig", description: "Sends the last event id in a message of a WebSocket." });

/** The `resume` option. */
export const resumeSchema: z.ZodType<UpstreamOptions["resume"], UpstreamConfig["resume"] & {}> = z.union(
  [z.enum(["header", "none"]), resumeQuery, resumeMessage],
  {
    error: "header, none, { query: <parameter>, initial: <value> } or { message: <text>, initial: <value> }",
  },
);
