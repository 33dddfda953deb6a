/** Traces by OpenTelemetry's API. Without an SDK in the process, which is the user's to bring, nothing is recorded. */
import { createRequire } from "node:module";
import type * as OpenTelemetry from "@opentelemetry/api";

/** What is traced. */
export type SpanName = "spillway.upstream.connect" | "spillway.log.append" | "spillway.replay";

/** Something that is under way. */
export interface RunningSpan {
  /** It is over. `error` is a stable code, for one that failed; never a text from outside. */
  end(attributes?: OpenTelemetry.Attributes, error?: string): void;
}

const unrecorded: RunningSpan = { end() {} };

/** Begins a span, below the one that is active. Attributes hold nothing secret: they leave the machine. */
export function beginSpan(name: SpanName, attributes: OpenTelemetry.Attributes): RunningSpan {
  const api = loadApi();
  const span = api?.tracer.startSpan(name, { attributes });
  if (!api || !span?.isRecording()) return unrecorded;
  return {
    end(more, error) {
      if (more) span.setAttributes(more);
      if (error !== undefined) span.setStatus({ code: api.errorCode, message: error });
      span.end();
    },
  };
}

interface LoadedApi {
  readonly tracer: OpenTelemetry.Tracer;
  readonly errorCode: number;
}

/** Where every 1.x version of the API keeps what an SDK has registered. */
const registry = Symbol.for("opentelemetry.js.api.1");
const require = createRequire(import.meta.url);
let loaded: LoadedApi | undefined;

/** Loads the API once an SDK is registered: it has many modules, and without an SDK it would record nothing. */
function loadApi(): LoadedApi | undefined {
  if (loaded || !(registry in globalThis)) return loaded;
  const { trace, SpanStatusCode } = require("@opentelemetry/api") as typeof OpenTelemetry;
  return (loaded = { tracer: trace.getTracer("spillway"), errorCode: SpanStatusCode.ERROR });
}
