import { useSignal } from "@preact/signals";
import type { InputHTMLAttributes, JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { StartPosition } from "spillway/client";
import { endpoint, headers } from "../api.ts";
import { setQuery } from "../router.ts";
import type { TailOptions } from "../tail.ts";
import { formReader, State } from "../ui.tsx";

type Position = "last" | "earliest" | "after" | "since" | "now";

/** What the parameters of a URL select. They are those of the stream itself. */
export function optionsOf(stream: string, query: URLSearchParams): TailOptions {
  const list = (name: string): readonly string[] | undefined => query.get(name)?.split(",");
  const [last, since, after] = ["last", "since", "after"].map((name) => query.get(name));
  const start = after ? { after } : since ? { since } : { last: Number(last ?? 20) };
  return {
    stream,
    start,
    channels: list("channels"),
    events: list("events"),
    filter: query.get("filter") ?? undefined,
  };
}

/** The position in the form, and its value. */
function positionOf(start: StartPosition): readonly [Position, string] {
  if ("last" in start) return ["last", String(start.last)];
  if ("since" in start) return ["since", localTime(start.since)];
  const { after } = start;
  if (after === "earliest") return ["earliest", ""];
  return after === "now" ? ["now", ""] : ["after", after];
}

/** The value of a field for a local time; `""` for what is no time. */
function localTime(since: string): string {
  const time = new Date(since);
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return Number.isNaN(local.getTime()) ? "" : local.toISOString().slice(0, -1);
}

/** The form that selects events. The URL names what it has selected. */
export function Selection({ options }: { readonly options: TailOptions }): JSX.Element {
  const [first, value] = positionOf(options.start);
  const position = useSignal(first);

  function select(event: Event): void {
    event.preventDefault();
    const text = formReader(event.target as HTMLFormElement);
    const query = new URLSearchParams(startOf(position.value, text("value").trim()));
    for (const name of ["channels", "events", "filter"]) {
      const given = text(name).trim();
      if (given) query.set(name, name === "filter" ? given : given.replaceAll(/\s*,\s*/g, ","));
    }
    setQuery(query);
  }

  const asks = fields[position.value];
  return (
    <form class="selection" onSubmit={select}>
      <div>
        <label for="position">Start</label>
        <select
          id="position"
          value={position.value}
          onChange={({ currentTarget }) => (position.value = currentTarget.value as Position)}
        >
          <option value="last">with the last events</option>
          <option value="earliest">with the first event held</option>
          <option value="after">after an id (resume)</option>
          <option value="since">at a time</option>
          <option value="now">with the next event</option>
        </select>
      </div>
      {asks && (
        <div>
          <label for="value">{asks.label}</label>
          <input
            id="value"
            name="value"
            key={position.value}
            required
            defaultValue={position.value === first ? value : asks.initial}
            {...asks.attributes}
          />
        </div>
      )}
      <div>
        <label for="channels">Channels</label>
        <input id="channels" name="channels" placeholder="a, user:*" defaultValue={options.channels?.join(", ")} />
      </div>
      <div>
        <label for="events">Types</label>
        <input id="events" name="events" placeholder="trade, quote" defaultValue={options.events?.join(", ")} />
      </div>
      <div>
        <label for="filter">Filter</label>
        <input id="filter" name="filter" placeholder="data.price > 100" defaultValue={options.filter} />
      </div>
      <button>Show</button>
      {first === "after" && <Outcome options={options} cursor={value} />}
    </form>
  );
}

interface PositionField {
  readonly label: string;
  readonly initial?: string;
  readonly attributes: InputHTMLAttributes;
}

const fields: Partial<Record<Position, PositionField>> = {
  last: { label: "How many", attributes: { type: "number", min: 1 }, initial: "20" },
  after: { label: "Id", attributes: { type: "text" } },
  since: { label: "Local time", attributes: { type: "datetime-local", step: "any" } },
};

/** The parameters of a position. */
function startOf(position: Position, value: string): Record<string, string> {
  if (position === "last") return { last: value };
  if (position === "since") return { since: new Date(value).toISOString() };
  return { after: position === "after" ? value : position };
}

/** What a client that resumes with a cursor would get. */
function Outcome({ options, cursor }: { readonly options: TailOptions; readonly cursor: string }): JSX.Element {
  const outcome = useSignal<string | undefined>(undefined);
  useEffect(() => {
    const controller = new AbortController();
    check(options.stream, cursor, controller.signal).then(
      (found) => (outcome.value = found),
      // The tail shows why the gateway cannot be reached.
      () => (outcome.value = undefined),
    );
    return () => controller.abort();
  }, [options]);
  return (
    <p role="status" class="outcome">
      {outcome.value !== undefined && (
        <>
          This cursor: <State value={outcome.value} /> {explanations[outcome.value]}
        </>
      )}
    </p>
  );
}

const explanations: Readonly<Record<string, string>> = {
  held: "every event after it is still in the log.",
  gap: "events after it are no longer in the log. A client that resumes there is told how many.",
  reset: "the log does not know it. A client that resumes there gets a reset.",
};

async function check(stream: string, after: string, signal: AbortSignal): Promise<string> {
  const url = endpoint(`streams/${encodeURIComponent(stream)}?after=${encodeURIComponent(after)}`);
  const response = await fetch(url, { method: "HEAD", headers, cache: "no-store", signal });
  const outcome = response.headers.get("spillway-resume");
  return outcome === "gap" || outcome === "reset" ? outcome : response.ok ? "held" : "not a cursor";
}
