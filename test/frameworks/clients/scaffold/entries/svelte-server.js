import { render as renderComponent } from "svelte/server";
import Trades from "../src/Trades.svelte";

export const render = () => renderComponent(Trades).body;
