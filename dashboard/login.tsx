import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { login } from "./api.ts";
import { Failure } from "./ui.tsx";

/** Asks for a key. It is sent once, and is not kept by the page. */
export function Login(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const error = useSignal<Error | undefined>(undefined);
  const busy = useSignal(false);
  useEffect(() => field.current?.focus(), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const input = field.current!;
    busy.value = true;
    error.value = undefined;
    try {
      await login(input.value.trim());
    } catch (cause) {
      error.value = cause as Error;
      input.select();
      input.focus();
    } finally {
      busy.value = false;
    }
  }

  return (
    <section class="narrow">
      <h1>Log in</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label for="key">API key or token</label>
        <input id="key" ref={field} type="password" autocomplete="off" spellcheck={false} required />
        <p class="hint">
          It needs the right <code>admin</code>, and <code>inspect</code> to read events.
        </p>
        <button disabled={busy.value}>Log in</button>
        {error.value && <Failure error={error.value} />}
      </form>
    </section>
  );
}
