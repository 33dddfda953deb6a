import { expect, onTestFinished, test, vi } from "vitest";
import { createOutage } from "../../../../src/log/engine/outage.ts";
import type { Logger } from "../../../../src/util/logger.ts";

/** Lines of the log that are not for debugging. */
function record(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const keep = (_: object, message: string): void => void lines.push(message);
  return { logger: { debug() {}, info: keep, warn: keep, error: keep }, lines };
}

test("an outage begins with the first failure and ends when everything works again; it is logged and counted once", () => {
  const { logger, lines } = record();
  const outage = createOutage(logger);
  const [writer, reader] = [{}, {}];
  outage.works(writer);
  outage.failed(writer, { reason: "reset" });
  outage.failed(reader, { reason: "reset" });
  outage.failed(reader, { reason: "refused" });
  outage.works(writer);
  expect(outage.connection()).toMatchObject({ connected: false, reconnects: 0 });
  outage.works(reader);
  outage.works(reader);
  expect(outage.connection()).toMatchObject({ connected: true, reconnects: 1 });
  expect(lines).toEqual(["the log cannot be reached", "the log can be reached again"]);
});

test("a tail that was removed is no longer waited for", () => {
  const outage = createOutage(record().logger);
  const tail = {};
  outage.failed(tail, {});
  outage.forget(tail);
  expect(outage.connection()).toMatchObject({ connected: true, reconnects: 0 });
});

test("the silence is that of the tail that has received nothing for longest", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const outage = createOutage(record().logger);
  const [silent, lively] = [{}, {}];
  expect(outage.connection().silence).toBe(0);
  outage.heard(silent);
  vi.advanceTimersByTime(2000);
  outage.heard(lively);
  vi.advanceTimersByTime(500);
  expect(outage.connection().silence).toBe(2500);
  outage.forget(silent);
  expect(outage.connection().silence).toBe(500);
});
