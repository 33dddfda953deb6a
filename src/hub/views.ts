import { matches } from "../log/filter.ts";
import { reservedPrefix, type LogEvent, type LogFilter } from "../log/log.ts";
import type { Format } from "./format.ts";
import type { Subscriber } from "./subscriber.ts";
import { View, type ViewContext } from "./view.ts";

/**
 * The views of a hub, indexed by filter and by channel, so that a flush visits only views that have something to send.
 */
export class Views {
  readonly #context: ViewContext;
  readonly #all = new Map<string, View<Subscriber>>();
  /** Views by the channels in their filters; `undefined` stands for events without a channel. */
  readonly #byChannel: Index<string | undefined> = new Map();
  /** Views with channel patterns, by the length of the prefix before the first asterisk, and then by that prefix. */
  readonly #byPrefix = new Map<number, Index<string>>();
  /** Views with a filter only for event types. */
  readonly #byType: Index<string> = new Map();
  /** Views that are in no index: those of all events, and those with only patterns of event types or conditions. */
  readonly #unbound = new Set<View<Subscriber>>();

  constructor(context: ViewContext) {
    this.#context = context;
  }

  [Symbol.iterator](): Iterator<View<Subscriber>> {
    return this.#all.values();
  }

  /** The view of this filter and format, which is created if it does not exist. */
  obtain(filter: LogFilter | undefined, format: Format): View<Subscriber> {
    const key = keyOf(filter, format);
    let view = this.#all.get(key);
    if (!view) {
      view = new View(filter, format, this.#context);
      this.#all.set(key, view);
      this.#place(view, add);
    }
    return view;
  }

  /** Removes a view without subscribers. */
  release(view: View<Subscriber>): void {
    if (view.size > 0) return;
    this.#all.delete(keyOf(view.filter, view.format));
    this.#place(view, remove);
  }

  /** Calls back for each view that gets the event, possibly more than once. */
  touch(event: LogEvent, visit: (view: View<Subscriber>) => void): void {
    if (event.event.startsWith(reservedPrefix)) return this.#all.forEach(visit);
    const { channel } = event;
    const visitMatch = (view: View<Subscriber>): void => {
      if (matches(view.filter, event)) visit(view);
    };
    this.#unbound.forEach(visitMatch);
    this.#byType.get(event.event)?.forEach(visitMatch);
    this.#byChannel.get(channel)?.forEach(visitMatch);
    if (channel === undefined || this.#byPrefix.size === 0) return;
    for (const [length, views] of this.#byPrefix) views.get(channel.slice(0, length))?.forEach(visitMatch);
  }

  /** Adds a view to its index, or removes it from there: by its channels, or else by its types. */
  #place(view: View<Subscriber>, change: typeof add | typeof remove): void {
    const { channels, events, within } = view.filter ?? {};
    if (channels) for (const name of channels) change(this.#byChannel, name, view);
    else if (within?.channels) {
      for (const pattern of within.channels) this.#placeByPattern(pattern, view, change);
      if (within.broadcast) change(this.#byChannel, undefined, view);
    } else if (events) for (const type of events) change(this.#byType, type, view);
    else if (change === add) this.#unbound.add(view);
    else this.#unbound.delete(view);
  }

  #placeByPattern(pattern: string, view: View<Subscriber>, change: typeof add | typeof remove): void {
    const length = pattern.indexOf("*");
    if (length === -1) return change(this.#byChannel, pattern, view);
    const index: Index<string> = this.#byPrefix.get(length) ?? new Map();
    change(index, pattern.slice(0, length), view);
    if (index.size > 0) this.#byPrefix.set(length, index);
    else this.#byPrefix.delete(length);
  }
}

type Index<Name> = Map<Name, Set<View<Subscriber>>>;

function add<Name>(index: Index<Name>, name: Name, view: View<Subscriber>): void {
  index.set(name, (index.get(name) ?? new Set()).add(view));
}

function remove<Name>(index: Index<Name>, name: Name, view: View<Subscriber>): void {
  const views = index.get(name);
  views?.delete(view);
  if (views?.size === 0) index.delete(name);
}

function keyOf(filter: LogFilter | undefined, format: Format): string {
  const sorted = (names: readonly string[] | undefined): readonly string[] | null => (names ? names.toSorted() : null);
  const lists = [filter, filter?.within].flatMap((part) => [sorted(part?.channels), sorted(part?.events)]);
  const conditions = sorted(filter?.where?.map(({ key }) => key));
  return JSON.stringify([format.name, filter?.within?.broadcast === true, conditions, ...lists]);
}
