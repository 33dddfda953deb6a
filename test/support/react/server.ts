import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { App, type AppProps } from "./components.ts";

/** Runs in Node. */
export function render(props: AppProps): string {
  return renderToString(createElement(App, props));
}
