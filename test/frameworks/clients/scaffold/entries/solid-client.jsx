import { hydrate } from "solid-js/web";
import { Trades } from "../src/Trades.tsx";

globalThis.unmount = hydrate(() => <Trades />, document.querySelector("main"));
