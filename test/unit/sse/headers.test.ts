import { expect, test } from "vitest";
import { eventStreamHeaders, isEventStream } from "../../../src/sse/index.ts";

test.each(["text/event-stream", "text/event-stream; charset=utf-8", "Text/Event-Stream;x=y", " text/event-stream "])(
  "'%s' is an event stream",
  (type) => {
    expect(isEventStream(type)).toBe(true);
  },
);

test.each(["text/plain", "text/event-streams", "application/json; text/event-stream", "", null, undefined])(
  "'%s' is not an event stream",
  (type) => {
    expect(isEventStream(type)).toBe(false);
  },
);

test("the response headers declare an event stream and cannot be changed", () => {
  expect(isEventStream(eventStreamHeaders["Content-Type"])).toBe(true);
  expect(Object.isFrozen(eventStreamHeaders)).toBe(true);
});
