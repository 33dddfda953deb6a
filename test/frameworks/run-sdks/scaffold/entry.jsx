import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { createRoot } from "react-dom/client";
import { ChatForm } from "./chat.tsx";

/** A chat that is stopped by the hook alone. */
function StoppedByHook(options) {
  const { messages, sendMessage, stop, status } = useChat({ ...options, resume: true });
  return (
    <>
      <output>{JSON.stringify(messages)}</output>
      <button onClick={() => sendMessage({ text: "hi" })}>Send</button>
      <button onClick={stop}>Stop</button>
      <i>{status}</i>
    </>
  );
}

/** Asks for a running answer by a request of its own making. */
const transport = new DefaultChatTransport({
  prepareReconnectToStreamRequest: ({ api, id }) => ({ api: `${api}/${encodeURIComponent(id)}/stream?prepared` }),
});

const parameters = new URLSearchParams(location.search);
const id = parameters.get("chat");
const history = await fetch(`/history?chat=${encodeURIComponent(id)}`);
/** What the hook has reported. */
globalThis.finished = [];
const options = {
  id,
  messages: await history.json(),
  onFinish: (facts) => globalThis.finished.push(facts),
  ...(parameters.has("prepared") && { transport }),
};
const Page = parameters.has("hook") ? StoppedByHook : ChatForm;
createRoot(document.querySelector("main")).render(<Page {...options} />);
