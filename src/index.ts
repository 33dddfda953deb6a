export {
  createGateway,
  type CreateGatewayConfig,
  type GatewayRuntime,
  type LogStoreHost,
  type OpenLogStore,
} from "./config/create-gateway.ts";
export { createLazyGateway, type LazyGateway, type LazyGatewayRuntime } from "./config/create-lazy-gateway.ts";
export type { AuthorizeFunction, AuthorizeRequest, AuthorizeResult } from "./access/authorize.ts";
export type { Grant, Right } from "./access/identity.ts";
export type {
  AccessConfig,
  AmqpConfig,
  AuthorizeConfig,
  ClaimsConfig,
  ClusterConfig,
  CorsConfig,
  Count,
  DeliveryConfig,
  Duration,
  GatewayConfig,
  GrantConfig,
  HeaderRulesConfig,
  HeartbeatConfig,
  JwtConfig,
  KeyConfig,
  LimitsConfig,
  MqttConfig,
  Percentage,
  PollConfig,
  PollCursorConfig,
  RequestTimeoutsConfig,
  RedisPubSubConfig,
  ResumeMessageConfig,
  ResumeQueryConfig,
  RetentionConfig,
  RouteConfig,
  RouteEjectConfig,
  RouteHealthConfig,
  RouteHeadersConfig,
  RoutePathConfig,
  RouteQueueConfig,
  RouteRetryConfig,
  RouteTargetConfig,
  RouteTimeoutsConfig,
  RouteUpstreamConfig,
  SigningConfig,
  Size,
  SqliteConfig,
  StreamConfig,
  StreamTransformConfig,
  TicketsConfig,
  TlsConfig,
  TransformConfig,
  UpstreamBackoffConfig,
  UpstreamConfig,
  UpstreamTargetConfig,
  UpstreamTimeoutsConfig,
  UpstreamTlsConfig,
  WebhookConfig,
  WebSocketConfig,
} from "./config/config.ts";
export { ConfigError, type ConfigIssue } from "./config/issues.ts";
export { errorCodes, SpillwayError, type ErrorCode, type ErrorDetails } from "./errors.ts";
export type {
  ClientConnection,
  ConnectedClient,
  ConnectionHooks,
  DeliveriesStatus,
  DeliveryStatus,
  EndedConnection,
  Gateway,
  GatewayDeliveries,
  GatewayStatus,
  RoutesStatus,
  RouteStatus,
  SharedStatus,
  StatusClass,
  StreamStatus,
  StreamTransformStatus,
  StreamUpstreamStatus,
  TargetCounts,
  TargetErrorCode,
  TargetStatus,
  TransformErrorCode,
  WorkerStatus,
} from "./gateway/gateway.ts";
export type {
  ChannelPublishOptions,
  ClientMatch,
  EventInput,
  EventPublisher,
  GatewayStream,
  PublishOptions,
  StreamPublishOptions,
  Subscribers,
} from "./gateway/gateway-stream.ts";
export type { CloseReason } from "./hub/subscriber.ts";
export type { FilterPatterns } from "./log/log.ts";
export type {
  RouteTransformContext,
  StreamTransformContext,
  Transform,
  TransformContext,
  TransformedEvent,
  TransformEvent,
  TransformResult,
} from "./transform/transform.ts";
export type { SubscribeOptions } from "./gateway/subscribe.ts";
export type { FetchHandler } from "./adapters/fetch/handler.ts";
export type { NodeHandler } from "./adapters/node/handler.ts";
export type { DeliveredEvent } from "./hub/format.ts";
export type { Logger } from "./util/logger.ts";
