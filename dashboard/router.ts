import { signal, type Signal } from "@preact/signals";

/** The view that the URL names: `#/streams/prices` is `["streams", "prices"]`. */
export const route: Signal<readonly string[]> = signal(read());

addEventListener("hashchange", () => {
  route.value = read();
  document.querySelector<HTMLElement>("main")?.focus();
});

function read(): readonly string[] {
  return location.hash
    .slice(1)
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

/** The link to a view. */
export function linkTo(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}
