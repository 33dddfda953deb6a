import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { hydrateRoot } from "react-dom/client";
import { Orders } from "../src/Orders.tsx";

const app = (
  <QueryClientProvider client={new QueryClient()}>
    <Orders />
  </QueryClientProvider>
);
const root = hydrateRoot(document.querySelector("main"), app);
globalThis.unmount = () => root.unmount();
