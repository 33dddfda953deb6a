/** The server that the MCP conformance suite asks for, with an event store over a stream in memory. Prints its port. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as schemas from "@modelcontextprotocol/sdk/types.js";
import { createGateway } from "spillway";
import { createEventStore } from "spillway/mcp";

const gateway = await createGateway({ store: "memory:", streams: { mcp: {} } });

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
const text = (value) => ({ type: "text", text: value });
const image = { type: "image", data: png, mimeType: "image/png" };
const object = (properties, required = Object.keys(properties)) => ({ type: "object", properties, required });
const string = { type: "string" };
const titled = (...names) => names.map((title, i) => ({ const: `value${i + 1}`, title }));
const options = ["option1", "option2", "option3"];

async function elicit(extra, message, requestedSchema) {
  const params = { mode: "form", message, requestedSchema };
  const answer = await extra.sendRequest({ method: "elicitation/create", params }, schemas.ElicitResultSchema);
  return text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content)}`);
}

/** Each returns its content. */
const tools = {
  test_simple_text: () => text("This is a simple text response for testing."),
  test_image_content: () => image,
  test_audio_content: () => ({ type: "audio", data: wav, mimeType: "audio/wav" }),
  test_embedded_resource: () => ({
    type: "resource",
    resource: {
      uri: "test://embedded-resource",
      mimeType: "text/plain",
      text: "This is an embedded resource content.",
    },
  }),
  test_multiple_content_types: () => [
    text("Multiple content types test:"),
    image,
    {
      type: "resource",
      resource: {
        uri: "test://mixed-content-resource",
        mimeType: "application/json",
        text: '{"test":"data","value":123}',
      },
    },
  ],
  async test_tool_with_logging(_, extra) {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await extra.sendNotification({ method: "notifications/message", params: { level: "info", data } });
      await setTimeout(50);
    }
    return text("done");
  },
  test_error_handling() {
    throw new Error("This tool intentionally returns an error for testing");
  },
  async test_tool_with_progress(_, extra) {
    // oxlint-disable-next-line no-underscore-dangle -- the name in the protocol
    const { progressToken } = extra._meta ?? {};
    for (const progress of [0, 50, 100]) {
      const params = { progressToken, progress, total: 100 };
      if (progressToken !== undefined) await extra.sendNotification({ method: "notifications/progress", params });
      await setTimeout(50);
    }
    return text("done");
  },
  async test_sampling({ prompt }, extra) {
    const params = { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 };
    const request = { method: "sampling/createMessage", params };
    const { content } = await extra.sendRequest(request, schemas.CreateMessageResultSchema);
    return text(`LLM response: ${content.text}`);
  },
  test_elicitation: ({ message }, extra) => elicit(extra, message, object({ username: string, email: string })),
  test_elicitation_sep1034_defaults: (_, extra) =>
    elicit(
      extra,
      "Defaults",
      object({
        name: { ...string, default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { ...string, enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      }),
    ),
  test_elicitation_sep1330_enums: (_, extra) =>
    elicit(
      extra,
      "Choices",
      object({
        untitledSingle: { ...string, enum: options },
        titledSingle: { ...string, oneOf: titled("First Option", "Second Option", "Third Option") },
        legacyEnum: { ...string, enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
        untitledMulti: { type: "array", items: { ...string, enum: options } },
        titledMulti: { type: "array", items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") } },
      }),
    ),
  async test_reconnection(_, extra) {
    extra.closeSSEStream?.();
    await setTimeout(100);
    return text("Reconnection test completed successfully");
  },
  json_schema_2020_12_tool: () => text("done"),
};

const inputSchemas = {
  test_sampling: object({ prompt: string }),
  test_elicitation: object({ message: string }),
  json_schema_2020_12_tool: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address: object({ street: string, city: string }, []) },
    properties: { name: string, address: { $ref: "#/$defs/address" } },
    additionalProperties: false,
  },
};

const resources = {
  "test://static-text": { mimeType: "text/plain", text: "This is the content of the static text resource." },
  "test://static-binary": { mimeType: "image/png", blob: png },
  "test://watched-resource": { mimeType: "text/plain", text: "watched" },
};

const user = (content) => ({ role: "user", content });
const prompts = {
  test_simple_prompt: () => [user(text("This is a simple prompt for testing."))],
  test_prompt_with_arguments: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  test_prompt_with_embedded_resource: ({ resourceUri: uri }) => [
    user({
      type: "resource",
      resource: { uri, mimeType: "text/plain", text: "Embedded resource content for testing." },
    }),
    user(text("Please process the embedded resource above.")),
  ],
  test_prompt_with_image: () => [user(image), user(text("Please analyze the image above."))],
};
const promptArguments = {
  test_prompt_with_arguments: ["arg1", "arg2"],
  test_prompt_with_embedded_resource: ["resourceUri"],
};

function createMcpServer() {
  const capabilities = { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {}, completions: {} };
  const server = new Server({ name: "conformance", version: "1.0.0" }, { capabilities });
  const described = (name, more) => ({ name, description: name, ...more });
  const on = (schema, answer) => server.setRequestHandler(schema, answer);
  on(schemas.ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => described(name, { inputSchema: inputSchemas[name] ?? object({}) })),
  }));
  on(schemas.CallToolRequestSchema, async ({ params }, extra) => {
    try {
      return { content: [await tools[params.name](params.arguments, extra)].flat() };
    } catch (error) {
      return { isError: true, content: [text(error.message)] };
    }
  });
  on(schemas.ListResourcesRequestSchema, () => ({
    resources: Object.entries(resources).map(([uri, { mimeType }]) => described(uri, { uri, mimeType })),
  }));
  on(schemas.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [described("template", { uriTemplate: "test://template/{id}/data" })],
  }));
  on(schemas.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const id = /^test:\/\/template\/(.+)\/data$/.exec(uri)?.[1];
    const made = { mimeType: "application/json", text: JSON.stringify({ id, data: `Data for ID: ${id}` }) };
    return { contents: [{ uri, ...(id === undefined ? resources[uri] : made) }] };
  });
  on(schemas.SubscribeRequestSchema, () => ({}));
  on(schemas.UnsubscribeRequestSchema, () => ({}));
  on(schemas.ListPromptsRequestSchema, () => ({
    prompts: Object.keys(prompts).map((name) =>
      described(name, {
        arguments: (promptArguments[name] ?? []).map((argument) => ({ name: argument, required: true })),
      }),
    ),
  }));
  on(schemas.GetPromptRequestSchema, ({ params }) => ({ messages: prompts[params.name](params.arguments) }));
  on(schemas.CompleteRequestSchema, () => ({ completion: { values: [], total: 0, hasMore: false } }));
  return server;
}

const transports = new Map();

async function begin() {
  const session = randomUUID();
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => session,
    eventStore: createEventStore(gateway, "mcp", session),
    retryInterval: 500,
    onsessioninitialized: () => transports.set(session, transport),
  });
  await createMcpServer().connect(transport);
  return transport;
}

const server = createServer(async (request, response) => {
  const transport = transports.get(request.headers["mcp-session-id"]) ?? (await begin());
  await transport.handleRequest(request, response);
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
