import type { Route } from "../http/gateway-context.ts";
import { serveAsset, type AssetName } from "./assets.ts";
import { beginDashboardSession, describeSession, endDashboardSession } from "./session.ts";

const reading = ["GET", "HEAD"];

/**
 * The route of a path of the dashboard. The page and its assets need no right, because they contain no data: the page
 * loads everything from the endpoints of the gateway, which check the rights.
 */
export function dashboardRoute(path: string): Route | undefined {
  switch (path) {
    case "/dashboard":
      return { methods: reading, handle: () => ({ status: 308, headers: { Location: "./dashboard/" }, body: "" }) };
    case "/dashboard/":
      return assetRoute("index.html");
    case "/dashboard/app.js":
      return assetRoute("app.js");
    case "/dashboard/app.css":
      return assetRoute("app.css");
    case "/dashboard/session":
      return sessionRoute;
    default:
      return undefined;
  }
}

function assetRoute(name: AssetName): Route {
  return { methods: reading, handle: () => serveAsset(name) };
}

const sessionRoute: Route = {
  methods: [...reading, "POST", "DELETE"],
  handle(request, _, gateway) {
    if (request.method === "POST") return beginDashboardSession(request, gateway);
    if (request.method === "DELETE") return endDashboardSession(request, gateway);
    return describeSession(request, gateway);
  },
};
