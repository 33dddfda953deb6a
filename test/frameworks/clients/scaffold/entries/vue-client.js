import { createSSRApp } from "vue";
import Trades from "../src/Trades.vue";

const app = createSSRApp(Trades);
app.mount("main");
globalThis.unmount = () => app.unmount();
