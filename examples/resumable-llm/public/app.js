const [ask, stop, state, answer] = ["ask", "stop", "state", "answer"].map((id) => document.getElementById(id));

/** Shows a run from its beginning. The browser connects again by itself, with the id of the last event. */
function follow(run) {
  const source = new EventSource(`/runs/${run}`);
  const end = (text) => {
    source.close();
    state.textContent = text;
    stop.disabled = true;
  };
  answer.textContent = "";
  state.textContent = "answering";
  stop.disabled = false;
  source.addEventListener("message", ({ data }) => {
    if (data === "[DONE]") return end("complete");
    const { choices, error } = JSON.parse(data);
    if (error) return end(error.message);
    answer.textContent += choices[0]?.delta.content ?? "";
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) end("no such answer");
  });
}

ask.addEventListener("click", async () => {
  const body = JSON.stringify({ model: "fake", stream: true, messages: [{ role: "user", content: "Tell me." }] });
  const headers = { "content-type": "application/json" };
  const response = await fetch("/v1/chat/completions", { method: "POST", headers, body });
  await response.body.cancel(); // read as a run, so that a reload makes no difference
  location.hash = response.headers.get("spillway-run");
});

stop.addEventListener("click", () => fetch(`/runs/${location.hash.slice(1)}`, { method: "DELETE" }));

/** The address names the run: it can be reloaded, and opened in another tab. */
const show = () => location.hash && follow(location.hash.slice(1));
addEventListener("hashchange", show);
show();
