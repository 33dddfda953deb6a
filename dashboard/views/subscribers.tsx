import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { ConnectedClient } from "../../src/http/clients.ts";
import { mayChange, post } from "../api.ts";
import { ago, bytes, count, plural } from "../format.ts";
import { usePoll } from "../poll.ts";
import { Failure, formReader, Table, type Column } from "../ui.tsx";

interface Page {
  readonly subscribers: readonly ConnectedClient[];
  readonly next: string | null;
}

const pageSize = 100;

/** Who is connected, in all processes. */
export function Subscribers(): JSX.Element {
  const query = useSignal<{ readonly stream: string; readonly subject: string }>({ stream: "", subject: "" });
  /** Where the shown page and those before it begin. */
  const starts = useSignal<readonly string[]>([]);
  const { data, error } = usePoll<Page>(pathOf(query.value, starts.value.at(-1)), 2000).value;
  const outcome = useSignal<string | Error | undefined>(undefined);

  function select(event: Event): void {
    event.preventDefault();
    const text = formReader(event.currentTarget as HTMLFormElement);
    query.value = { stream: text("stream").trim(), subject: text("subject").trim() };
    starts.value = [];
  }

  async function end(path: string, whose: string): Promise<void> {
    if (!confirm(`End ${whose}? Clients reconnect if their credential is still valid.`)) return;
    try {
      const { ended } = await post<{ readonly ended: number }>(path, undefined, "DELETE");
      outcome.value = `Ended ${plural(ended, "subscription")}.`;
    } catch (cause) {
      outcome.value = cause as Error;
    }
  }

  const actions: Column<ConnectedClient> = {
    title: "End",
    cell: ({ client, subject }) => (
      <span class="bar">
        <button type="button" onClick={() => void end(`admin/subscribers/${client}`, "this subscription")}>
          This one
        </button>
        <button
          type="button"
          onClick={() => void end(`admin/subscribers?subject=${encodeURIComponent(subject)}`, `all of ${subject}`)}
        >
          Its subject
        </button>
      </span>
    ),
  };
  return (
    <>
      <h1>Subscribers</h1>
      <form class="selection" onSubmit={select}>
        <div>
          <label for="stream">Stream</label>
          <input id="stream" name="stream" placeholder="any" />
        </div>
        <div>
          <label for="subject">Subject</label>
          <input id="subject" name="subject" placeholder="any, such as key:web" />
        </div>
        <button>Show</button>
      </form>
      {error && <Failure error={error} />}
      {outcome.value instanceof Error ? <Failure error={outcome.value} /> : <p role="status">{outcome.value}</p>}
      {data && (
        <Table
          label="Subscribers"
          columns={mayChange("admin") ? [...columns, actions] : columns}
          rows={data.subscribers}
          keyOf={({ client }) => client}
          empty="Nobody is connected."
        />
      )}
      <p class="bar">
        <button
          type="button"
          disabled={starts.value.length === 0}
          onClick={() => (starts.value = starts.value.slice(0, -1))}
        >
          Earlier
        </button>
        <button type="button" disabled={!data?.next} onClick={() => (starts.value = [...starts.value, data!.next!])}>
          Later
        </button>
      </p>
    </>
  );
}

function pathOf({ stream, subject }: { readonly stream: string; readonly subject: string }, after?: string): string {
  const query = new URLSearchParams({ limit: String(pageSize) });
  if (stream) query.set("stream", stream);
  if (subject) query.set("subject", subject);
  if (after !== undefined) query.set("after", after);
  return `admin/subscribers?${query}`;
}

const columns: readonly Column<ConnectedClient>[] = [
  { title: "Subject", cell: ({ subject }) => subject },
  { title: "Address", cell: ({ address }) => address ?? "unknown" },
  { title: "Stream", cell: ({ stream }) => stream },
  { title: "Filter", cell: ({ filter }) => describe(filter) },
  { title: "Connected", cell: ({ connectedAt }) => ago(connectedAt) },
  { title: "Events", isNumber: true, cell: ({ events }) => count(events) },
  { title: "Lag", isNumber: true, cell: ({ lag }) => count(lag) },
  { title: "Unsent", isNumber: true, cell: ({ unsent }) => bytes(unsent) },
];

function describe(filter: ConnectedClient["filter"]): string {
  const parts = [filter?.channels?.join(", "), filter?.events?.map((type) => `type ${type}`).join(", ")];
  return parts.filter(Boolean).join("; ") || "everything";
}
