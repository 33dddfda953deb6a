import { generateHydrationScript, renderToString } from "solid-js/web";
import { Trades } from "../src/Trades.tsx";

export const head = generateHydrationScript();
export const render = () => renderToString(() => <Trades />);
