import { createSSRApp } from "vue";
import { renderToString } from "vue/server-renderer";
import Trades from "../src/Trades.vue";

export const render = () => renderToString(createSSRApp(Trades));
