/** Server-Sent Events, read and written byte by byte as WHATWG HTML section 9.2 says. Runs anywhere. */
export { encodeComment, encodeEvent, encodeId } from "./encode.ts";
export { SseError, type SseErrorCode } from "./error.ts";
export { defaultEventType, type EventFields, type SseEvent } from "./event.ts";
export { eventStreamHeaders, eventStreamType, isEventStream } from "./headers.ts";
export { createParser, type Parser, type ParserOptions } from "./parse.ts";
