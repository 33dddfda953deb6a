import type { UpstreamOptions } from "../../../src/upstream/upstream.ts";
import { patience } from "../../support/patience.ts";

/** Complete options with short times, and those given. */
export function upstreamOptions(options: Partial<UpstreamOptions> = {}): UpstreamOptions {
  return {
    targets: [{ url: "http://127.0.0.1:9/", name: "a" }],
    balance: "failover",
    coolDown: 60_000,
    source: { kind: "sse" },
    mapping: { id: undefined, event: undefined, channel: undefined, data: undefined },
    method: "GET",
    body: undefined,
    headers: {},
    resume: "header",
    timeouts: { connect: patience, headers: patience, idle: patience },
    backoff: { min: 5, max: 40, healthy: 1000 },
    maxRedirects: 3,
    maxEventBytes: 1024 * 1024,
    tls: undefined,
    proxy: undefined,
    ...options,
  };
}
