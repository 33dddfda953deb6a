import { injectIntoGlobalHook } from "react-refresh/runtime";

/** Before React is loaded: as the dev servers of Vite and Next.js do. */
injectIntoGlobalHook(globalThis);
