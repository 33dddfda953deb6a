/** Traces by OpenTelemetry's API. Without an SDK in the process, which is the user's to bring, nothing is recorded. */
import { SpanStatusCode, trace, type Attributes } from "@opentelemetry/api";

/** What is traced. */
export type SpanName = "spillway.upstream.connect" | "spillway.log.append" | "spillway.replay";

/** Something that is under way. */
export interface RunningSpan {
  /** It is over. `error` is a stable code, for one that failed; never a text from outside. */
  end(attributes?: Attributes, error?: string): void;
}

const tracer = trace.getTracer("spillway");

const unrecorded: RunningSpan = { end() {} };

/** Begins a span, below the one that is active. Attributes hold nothing secret: they leave the machine. */
export function beginSpan(name: SpanName, attributes: Attributes): RunningSpan {
  const span = tracer.startSpan(name, { attributes });
  if (!span.isRecording()) return unrecorded;
  return {
    end(more, error) {
      if (more) span.setAttributes(more);
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end();
    },
  };
}
