import type { CreateSource } from "../source.ts";
import type { UpstreamOptions } from "../upstream.ts";
import type { AmqpDriver } from "./amqp.ts";
import { loadDriver } from "./driver.ts";
import type { MqttDriver } from "./mqtt.ts";
import type { RedisPubSubDriver } from "./redis.ts";
import { createSseSource } from "./sse.ts";
import type { WebSocketDriver } from "./websocket.ts";

/**
 * Loads what the source of an upstream requires, and resolves to the function that creates it.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadSource(options: UpstreamOptions): Promise<CreateSource> {
  const { source } = options;
  switch (source.kind) {
    case "sse":
      return () => createSseSource(options);
    case "ndjson": {
      const { createNdjsonSource } = await import("./ndjson.ts");
      return () => createNdjsonSource(options);
    }
    case "poll": {
      const { createPollSource } = await import("./poll.ts");
      return () => createPollSource(options, source);
    }
    case "websocket": {
      const { createWebSocketSource } = await import("./websocket.ts");
      const driver = await loadDriver<WebSocketDriver>("WebSocket", "ws");
      return () => createWebSocketSource(driver, options, source);
    }
    case "redis": {
      const { createRedisSource } = await import("./redis.ts");
      const driver = await loadDriver<RedisPubSubDriver>("Redis", "@redis/client");
      return () => createRedisSource(driver, options, source);
    }
    case "mqtt": {
      const { createMqttSource } = await import("./mqtt.ts");
      const driver = await loadDriver<MqttDriver>("MQTT", "mqtt");
      return () => createMqttSource(driver, options, source);
    }
    case "amqp": {
      const { createAmqpSource } = await import("./amqp.ts");
      const driver = await loadDriver<AmqpDriver>("AMQP", "amqplib");
      return () => createAmqpSource(driver, options, source);
    }
  }
}
