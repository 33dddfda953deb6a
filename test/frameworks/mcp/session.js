import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** Opens a session with the SDK's own client, which reconnects sooner than by default. */
export async function openSession(url) {
  const reconnectionOptions = {
    initialReconnectionDelay: 20,
    maxReconnectionDelay: 100,
    reconnectionDelayGrowFactor: 1.5,
    maxRetries: 100,
  };
  const client = new Client({ name: "check", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL(url), { reconnectionOptions });
  await client.connect(transport);
  return {
    id: transport.sessionId,
    protocolVersion: transport.protocolVersion,
    count: (to, every, onprogress) =>
      client.callTool({ name: "count", arguments: { to, every } }, undefined, {
        onprogress: ({ progress }) => onprogress(progress),
      }),
    close: () => client.close(),
  };
}
