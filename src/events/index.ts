/** Definitions of streams and their events, for servers and browsers. */
export type { Gap, Reset } from "./control.ts";
export type { DecodedEvent, EventSchemas, EventText, StreamDefinition } from "./definition.ts";
export { defineStream, type StreamShape } from "./define-stream.ts";
export type { ChannelOf, ControlData, DataOf, EventIssue, InputsOf, InvalidEvent } from "./event.ts";
export type { InputOf, OutputOf, SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
