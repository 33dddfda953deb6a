import { hydrate, unmount } from "svelte";
import Trades from "../src/Trades.svelte";

const app = hydrate(Trades, { target: document.querySelector("main") });
globalThis.unmount = () => unmount(app);
