export { createGateway, type GatewayRuntime } from "./config/create-gateway.ts";
export type {
  AccessConfig,
  Count,
  Duration,
  GatewayConfig,
  LimitsConfig,
  RetentionConfig,
  Size,
  SqliteConfig,
  StreamConfig,
  UpstreamBackoffConfig,
  UpstreamConfig,
  UpstreamTargetConfig,
  UpstreamTimeoutsConfig,
  UpstreamTlsConfig,
} from "./config/config.ts";
export { ConfigError, type ConfigIssue } from "./config/issues.ts";
export { errorCodes, SpillwayError, type ErrorCode, type ErrorDetails } from "./errors.ts";
export type { Gateway, PublishedEvent } from "./gateway/gateway.ts";
export type { SubscribeOptions } from "./gateway/subscribe.ts";
export type { FetchHandler } from "./adapters/fetch.ts";
export type { NodeHandler } from "./adapters/node.ts";
export type { DeliveredEvent } from "./hub/format.ts";
export type { Logger } from "./util/logger.ts";
