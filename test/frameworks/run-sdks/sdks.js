/** Requests as applications make them with the unmodified clients of each API. Each resolves to all that the client yields. */
import Anthropic from "@anthropic-ai/sdk";
import { DefaultChatTransport, readUIMessageStream } from "ai";
import OpenAI from "openai";

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** The places of the runs, in the order of their responses. */
export const places = [];

const recording = async (...request) => {
  const response = await fetch(...request);
  places.push(response.headers.get("location"));
  return response;
};

const openai = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, fetch: recording });
const messages = [{ role: "user", content: "hi" }];

export async function openaiChat(url) {
  return all(await openai(url).chat.completions.create({ model: "m", messages, stream: true }));
}

export async function openaiResponse(url) {
  return all(await openai(url).responses.create({ model: "m", input: "hi", stream: true }));
}

export async function openaiRetrieve(url, id, after) {
  return all(await openai(url).responses.retrieve(id, { stream: true, starting_after: after }));
}

export async function openaiCancel(url, id) {
  return openai(url).responses.cancel(id);
}

export async function anthropicMessage(url) {
  const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, fetch: recording });
  const stream = client.messages.stream({ model: "m", max_tokens: 9, messages });
  return [...(await all(stream)), await stream.finalMessage()];
}

const transport = (url) => new DefaultChatTransport({ api: `${url}/v1/chat`, fetch: recording });
const chatId = "chat-1";

async function lastMessage(stream) {
  const states = await all(readUIMessageStream({ stream, terminateOnError: true }));
  return [states.at(-1)];
}

export async function aiChat(url) {
  const message = { id: "1", role: "user", parts: [{ type: "text", text: "hi" }] };
  const request = {
    trigger: "submit-message",
    chatId,
    messageId: undefined,
    messages: [message],
    abortSignal: undefined,
  };
  return lastMessage(await transport(url).sendMessages(request));
}

export async function aiRejoin(url) {
  const stream = await transport(url).reconnectToStream({ chatId });
  return stream && lastMessage(stream);
}
