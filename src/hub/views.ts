import { matches } from "../log/filter.ts";
import { reservedPrefix, type LogEvent, type LogFilter } from "../log/log.ts";
import type { Format } from "./format.ts";
import { View, type ViewContext } from "./view.ts";

/** The views of a hub, found by filter, and by the channel of an event: a flush touches none that has nothing to send. */
export class Views {
  readonly #context: ViewContext;
  readonly #all = new Map<string, View>();
  readonly #byChannel = new Map<string, Set<View>>();
  /** Views with a filter for types alone. */
  readonly #byType = new Map<string, Set<View>>();
  /** Views without names to find them by: of everything, or of patterns. */
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
      const [index, names] = this.#placeOf(view);
      if (!index) this.#unbound.add(view);
      else for (const name of names) index.set(name, (index.get(name) ?? new Set()).add(view));
    }
    return view;
  }

  /** Forgets a view that nobody uses. */
  release(view: View): void {
    if (view.size > 0) return;
    this.#all.delete(keyOf(view.filter, view.format));
    this.#unbound.delete(view);
    const [index, names] = this.#placeOf(view);
    for (const name of names) {
      index?.get(name)?.delete(view);
      if (index?.get(name)?.size === 0) index.delete(name);
    }
  }

  /** Calls back for each view that shows the event. */
  touch(event: LogEvent, visit: (view: View) => void): void {
    if (event.event.startsWith(reservedPrefix)) return this.#all.forEach(visit);
    const visitMatch = (view: View): void => {
      if (matches(view.filter, event)) visit(view);
    };
    this.#unbound.forEach(visitMatch);
    this.#byType.get(event.event)?.forEach(visitMatch);
    if (event.channel !== undefined) this.#byChannel.get(event.channel)?.forEach(visitMatch);
  }

  /** Where a view with a filter is found: by its channels, or else by its types. */
  #placeOf({ filter }: View): [index: Map<string, Set<View>> | undefined, names: readonly string[]] {
    if (filter?.channels) return [this.#byChannel, filter.channels];
    if (filter?.events) return [this.#byType, filter.events];
    return [undefined, []];
  }
}

function keyOf(filter: LogFilter | undefined, format: Format): string {
  const sorted = (names: readonly string[] | undefined): readonly string[] | null => (names ? names.toSorted() : null);
  const lists = [filter, filter?.within].flatMap((part) => [sorted(part?.channels), sorted(part?.events)]);
  return JSON.stringify([format.name, ...lists]);
}
