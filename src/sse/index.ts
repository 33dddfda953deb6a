/** A parser and an encoder for Server-Sent Events (WHATWG HTML section 9.2). Runs in any JavaScript runtime. */
export { encodeComment, encodeEvent, encodeId } from "./encode.ts";
export { SseError, type SseErrorCode } from "./error.ts";
export { defaultEventType, type EventFields, type SseEvent } from "./event.ts";
export { eventStreamHeaders, eventStreamType, isEventStream } from "./headers.ts";
export { createParser, type Parser, type ParserOptions } from "./parse.ts";
