import { signal, type Signal } from "@preact/signals";

/** What the URL shows: `#/streams/prices?last=5`. */
interface Place {
  /** The view: `["streams", "prices"]`. */
  readonly parts: readonly string[];
  /** How it is shown. */
  readonly query: URLSearchParams;
  /** How many places were visited before. */
  readonly visit: number;
}

export const place: Signal<Place> = signal(read(0));

addEventListener("hashchange", () => {
  place.value = read(place.peek().visit + 1);
  document.querySelector<HTMLElement>("main")?.focus();
});

function read(visit: number): Place {
  const [path = "", ...query] = location.hash.slice(1).split("?");
  return { parts: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query.join("?")), visit };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Shows the same view in another way, which the URL then names. */
export function setQuery(query: URLSearchParams): void {
  const { parts, visit } = place.peek();
  history.replaceState(null, "", `${linkTo(...parts)}?${query}`);
  place.value = { parts, query, visit };
}

/** The link to a view. */
export function linkTo(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}
