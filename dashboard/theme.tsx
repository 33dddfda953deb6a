import { effect, signal } from "@preact/signals";
import type { JSX } from "preact";
import { keep, recall } from "./storage.ts";

type Theme = "system" | "light" | "dark";

const next: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };

const theme = signal<Theme>(read());

/** Changes when the colors do, so that charts are drawn again. */
export const scheme = signal(0);

function read(): Theme {
  const stored = recall("spillway-theme");
  return stored === "light" || stored === "dark" ? stored : "system";
}

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  keep("spillway-theme", theme.value);
  scheme.value = scheme.peek() + 1;
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => scheme.value++);

export function ThemeSwitch(): JSX.Element {
  return (
    <button type="button" onClick={() => (theme.value = next[theme.value])}>
      Theme: {theme.value}
    </button>
  );
}
