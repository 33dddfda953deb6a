import { createElement, type ReactElement } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { performReactRefresh, register } from "react-refresh/runtime";
import { App, components, makeFeed, record, type AppProps } from "./components.ts";

/** Runs in the browser. */
const container = document.querySelector("main")!;
let root: Root | undefined;
let frames = 0;
const count = (): void => {
  frames++;
  requestAnimationFrame(count);
};
requestAnimationFrame(count);
register(components.feed, "Feed");

function element(props: AppProps): ReactElement {
  return createElement(App, { ...props, client: { backoff: { min: 1, max: 20 }, ...props.client } });
}

const page = {
  record,
  frames: () => frames,
  show: (props: AppProps): void => {
    root ??= createRoot(container);
    root.render(element(props));
  },
  hydrate: (props: AppProps): void => {
    const onRecoverableError = (error: unknown): unknown => record.errors.push(String(error));
    root = hydrateRoot(container, element(props), { onRecoverableError });
  },
  unmount: (): void => root?.unmount(),
  /** Replaces the code of the feed, as a dev server does after an edit. */
  reload: (): void => {
    register(makeFeed(2), "Feed");
    performReactRefresh();
  },
};

export type ReactPage = typeof page;
Object.assign(globalThis, { page });
