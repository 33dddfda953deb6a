/** The option `transform` of a route and of a stream. */
import { z } from "zod";
import type { StreamTransformOptions } from "../gateway/stream-transform.ts";
import type { TransformOptions } from "../proxy/options.ts";
import type { StreamTransformConfig, TransformConfig } from "./config.ts";
import { convert, duration, file, object } from "./fields.ts";

const module = file.describe("Path of the module, relative to the working directory.");

const policies = z.enum(["skip", "pass", "stop"]);

const routeSection = object({
  module,
  onError: policies
    .default("pass")
    .describe(
      "What happens to an event for which the module throws: `pass` sends it unchanged, `skip` drops it, `stop` cuts the response.",
    ),
}).meta({ title: "TransformConfig", description: "A module that changes the events of a route." });

/** The transform of a route. */
export const routeTransformSchema: z.ZodType<TransformOptions, string | TransformConfig> = convert(
  z.union([file, routeSection], { error: "the path of a module that exists, or { module, onError }" }),
  (parsed): TransformOptions => (typeof parsed === "string" ? { module: parsed, onError: "pass" } : parsed),
  (options) => (options.onError === "pass" ? options.module : options),
);

const streamSection = object({
  module,
  onError: policies
    .default("stop")
    .describe(
      "What happens to an event for which the module fails: `stop` stores nothing and stops the upstream, and publishers get the error; `skip` drops it; `pass` stores it unchanged.",
    ),
  timeout: duration("5s", 10).describe(
    "How long the promise of an async transform may be pending; then it counts as failed. At least `10ms`.",
  ),
}).meta({ title: "StreamTransformConfig", description: "A module that changes the events of a stream." });

const streamDefaults = { onError: "stop", timeout: 5_000 } as const;

/** The transform of a stream. */
export const streamTransformSchema: z.ZodType<StreamTransformOptions, string | StreamTransformConfig> = convert(
  z.union([file, streamSection], { error: "the path of a module that exists, or { module, onError, timeout }" }),
  (parsed): StreamTransformOptions => (typeof parsed === "string" ? { module: parsed, ...streamDefaults } : parsed),
  (options) =>
    options.onError === streamDefaults.onError && options.timeout === streamDefaults.timeout ? options.module : options,
);
