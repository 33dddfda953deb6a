import { signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { publish } from "spillway/client";
import type { GatewayStatus } from "../../src/http/gateway-status.ts";
import { endpoint, headers, mayChange } from "../api.ts";
import { usePoll } from "../poll.ts";
import { keep, recall } from "../storage.ts";
import { Failure, formReader } from "../ui.tsx";

/** An event to publish. */
interface Template {
  readonly name: string;
  readonly stream: string;
  readonly event: string;
  readonly channel: string;
  readonly data: string;
}

const stored = "spillway-templates";
const fields = ["stream", "event", "channel", "data"] as const;

/** The templates of this browser. They may contain data, so they stay here. */
const templates = signal<readonly Template[]>(read());

function read(): readonly Template[] {
  try {
    const value: unknown = JSON.parse(recall(stored) ?? "[]");
    return Array.isArray(value) ? (value as readonly unknown[]).filter(isTemplate) : [];
  } catch {
    return [];
  }
}

function isTemplate(value: unknown): value is Template {
  const members = (value ?? {}) as Readonly<Record<string, unknown>>;
  return ["name", ...fields].every((field) => typeof members[field] === "string");
}

/** Returns whether the browser keeps them. */
function store(list: readonly Template[]): boolean {
  templates.value = list;
  return keep(stored, JSON.stringify(list));
}

/** Publishes an event, and keeps templates. */
export function Publish(): JSX.Element {
  const { data, error } = usePoll<GatewayStatus>("status", 10_000).value;
  const form = useRef<HTMLFormElement>(null);
  const outcome = useSignal<string | Error | undefined>(undefined);

  function content(): Omit<Template, "name"> {
    const text = formReader(form.current!);
    return { stream: text("stream"), event: text("event"), channel: text("channel"), data: text("data") };
  }

  function fill(template: Template): void {
    for (const field of fields) (form.current!.elements.namedItem(field) as HTMLInputElement).value = template[field];
    outcome.value = undefined;
  }

  function save(): void {
    const values = content();
    const name = values.event ? `${values.stream}: ${values.event}` : values.stream;
    const isKept = store([...templates.peek().filter((each) => each.name !== name), { name, ...values }]);
    outcome.value = isKept ? `Saved as “${name}” in this browser.` : "This browser keeps it only until a reload.";
  }

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const { stream, event: type, channel, data: text } = content();
    try {
      const url = endpoint(`streams/${encodeURIComponent(stream)}`);
      const [id] = await publish(
        url,
        { data: text, ...(type && { event: type }), ...(channel && { channel }) },
        { headers },
      );
      outcome.value = `Stored as ${id}.`;
    } catch (cause) {
      outcome.value = cause as Error;
    }
  }

  if (!mayChange("publish")) {
    return (
      <>
        <h1>Publish</h1>
        <p class="empty">
          Publishing needs the right <code>publish</code>, and <code>dashboard: {"{ write: true }"}</code> in the
          configuration.
        </p>
      </>
    );
  }
  return (
    <>
      <h1>Publish</h1>
      {error && <Failure error={error} />}
      <Templates onUse={fill} />
      <form ref={form} class="wide" onSubmit={(event) => void submit(event)}>
        <label for="stream">Stream</label>
        <select id="stream" name="stream" required>
          {Object.keys(data?.streams ?? {}).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <label for="event">Type (default: message)</label>
        <input id="event" name="event" />
        <label for="channel">Channel (optional)</label>
        <input id="channel" name="channel" />
        <label for="data">Data</label>
        <textarea id="data" name="data" rows={8} required spellcheck={false} class="mono" />
        <p class="bar">
          <button>Publish</button>
          <button type="button" onClick={save}>
            Save as a template
          </button>
        </p>
        {outcome.value instanceof Error ? <Failure error={outcome.value} /> : <p role="status">{outcome.value}</p>}
      </form>
    </>
  );
}

function Templates({ onUse }: { readonly onUse: (template: Template) => void }): JSX.Element | null {
  if (templates.value.length === 0) return null;
  return (
    <>
      <h2>Templates</h2>
      <ul class="templates">
        {templates.value.map((template) => (
          <li key={template.name}>
            <button type="button" onClick={() => onUse(template)}>
              {template.name}
            </button>
            <button
              type="button"
              aria-label={`Remove ${template.name}`}
              onClick={() => void store(templates.peek().filter((each) => each !== template))}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
