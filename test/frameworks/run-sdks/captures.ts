/** Responses of each API, as they look on the wire. */

const event = (data: object, type?: string): string =>
  `${type === undefined ? "" : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`;
const typed = (data: { readonly type: string }): string => event(data, data.type);

const words = ["Hel", "lo", ", ", "wor", "ld", "!"];
const chunk = (delta: object, finish: string | null = null): object => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish }],
});

const openaiChat: readonly string[] = [
  event(chunk({ role: "assistant", content: "" })),
  ...words.map((content) => event(chunk({ content }))),
  event(chunk({}, "stop")),
  "data: [DONE]\n\n",
];

export const responseId = "resp_68af40f5";
const response = { id: responseId, object: "response", created_at: 1, model: "m", output: [] };

const openaiResponse: readonly string[] = [
  { type: "response.created", response: { ...response, status: "in_progress" } },
  ...words.map((delta) => ({
    type: "response.output_text.delta",
    item_id: "msg_1",
    output_index: 0,
    content_index: 0,
    delta,
  })),
  { type: "response.completed", response: { ...response, status: "completed" } },
].map((data, index) => typed(Object.assign(data, { sequence_number: index })));

const message = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null };

const anthropicMessage: readonly string[] = [
  { type: "message_start", message: { ...message, usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "ping" },
  ...words.map((text) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 6 } },
  { type: "message_stop" },
].map(typed);

const aiChat: readonly string[] = [
  ...[
    { type: "start", messageId: "2", messageMetadata: { model: "m" } },
    { type: "start-step" },
    { type: "reasoning-start", id: "r" },
    { type: "reasoning-delta", id: "r", delta: "They greet me." },
    { type: "reasoning-end", id: "r" },
    { type: "tool-input-available", toolCallId: "c", toolName: "clock", input: { zone: "UTC" } },
    { type: "tool-output-available", toolCallId: "c", output: { hour: 9 } },
    { type: "data-mood", id: "d", data: "good" },
    { type: "text-start", id: "t" },
    ...words.map((delta) => ({ type: "text-delta", id: "t", delta })),
    { type: "text-end", id: "t" },
    { type: "finish-step" },
    { type: "finish", messageMetadata: { tokens: 6 } },
  ].map((part) => event(part)),
  "data: [DONE]\n\n",
];

/** The blocks of each response. */
export const captures = { openaiChat, openaiResponse, anthropicMessage, aiChat } as const;
