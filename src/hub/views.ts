import { reservedPrefix, type LogEvent, type LogFilter } from "../log/log.ts";
import type { Format } from "./format.ts";
import { View, type ViewContext } from "./view.ts";

/** The views of a hub, found by filter, and by the channel of an event: a flush touches none that has nothing to send. */
export class Views {
  readonly #context: ViewContext;
  readonly #all = new Map<string, View>();
  readonly #byChannel = new Map<string, Set<View>>();
  /** Views without a channel filter. */
  readonly #unbound = new Set<View>();

  constructor(context: ViewContext) {
    this.#context = context;
  }

  [Symbol.iterator](): Iterator<View> {
    return this.#all.values();
  }

  /** The view of this filter and format, made if there is none. */
  obtain(filter: LogFilter | undefined, format: Format): View {
    const key = keyOf(filter, format);
    let view = this.#all.get(key);
    if (!view) {
      view = new View(filter, format, this.#context);
      this.#all.set(key, view);
      for (const set of this.#homes(view)) set.add(view);
    }
    return view;
  }

  /** Forgets a view that nobody uses. */
  release(view: View): void {
    if (view.size > 0) return;
    this.#all.delete(keyOf(view.filter, view.format));
    for (const set of this.#homes(view)) set.delete(view);
    for (const channel of view.filter?.channels ?? []) {
      if (this.#byChannel.get(channel)?.size === 0) this.#byChannel.delete(channel);
    }
  }

  /** Calls back for each view that may show the event. */
  touch(event: LogEvent, visit: (view: View) => void): void {
    if (event.event.startsWith(reservedPrefix)) return this.#all.forEach(visit);
    for (const view of this.#unbound) if (shows(view, event)) visit(view);
    if (event.channel === undefined) return;
    for (const view of this.#byChannel.get(event.channel) ?? []) if (shows(view, event)) visit(view);
  }

  #homes(view: View): Array<Set<View>> {
    const channels = view.filter?.channels;
    if (!channels) return [this.#unbound];
    return channels.map((channel) => {
      let set = this.#byChannel.get(channel);
      if (!set) this.#byChannel.set(channel, (set = new Set()));
      return set;
    });
  }
}

function shows(view: View, event: LogEvent): boolean {
  return !view.filter?.events || view.filter.events.includes(event.event);
}

function keyOf(filter: LogFilter | undefined, format: Format): string {
  const sorted = (names: readonly string[] | undefined): readonly string[] | null => (names ? names.toSorted() : null);
  return JSON.stringify([format.name, sorted(filter?.channels), sorted(filter?.events)]);
}
