import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { send } from "../api.ts";
import { Failure } from "../ui.tsx";

/** The configuration in use. The gateway masks the secrets before it sends it. */
export function Configuration(): JSX.Element {
  const text = useSignal<string | undefined>(undefined);
  const error = useSignal<Error | undefined>(undefined);
  useEffect(() => {
    send("admin/config")
      .then(async (response) => (text.value = await response.text()))
      .catch((cause: unknown) => (error.value = cause as Error));
  }, []);
  return (
    <>
      <h1 id="config-title">Configuration</h1>
      <p class="hint">As it was resolved, with defaults, and with secrets masked: what `spillway check` prints.</p>
      {error.value && <Failure error={error.value} />}
      {text.value !== undefined && (
        <pre class="panel" tabIndex={0} role="region" aria-labelledby="config-title">
          {text.value}
        </pre>
      )}
    </>
  );
}
