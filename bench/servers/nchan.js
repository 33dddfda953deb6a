/** nchan: fan-out in C, inside nginx. Events are posted to it; it keeps them in memory. */
import { existsSync } from "node:fs";
import { missingNginx, nchanModule, nginxVersion, startNginx } from "./nginx.js";

/** @type {import("../types.d.ts").Server} */
export const nchan = {
  name: "nchan",
  note: "C, in nginx with one worker; history in memory",
  features: ["channels", "replay", "ingest"],
  filesPerClient: 1,
  source: "posts",
  async missing() {
    return missingNginx() ?? (existsSync(nchanModule) ? undefined : "nginx has no nchan module (libnginx-mod-nchan)");
  },
  version: async () => `nchan in ${nginxVersion()}`,
  async start(context) {
    const program = await startNginx(context, {
      modules: [nchanModule],
      http: "nchan_shared_memory_size 1024M;",
      server: `
    location = /publish {
      nchan_publisher;
      nchan_channel_id $arg_channel;
      nchan_message_buffer_length 20000;
      nchan_message_timeout 1h;
    }
    location = /events {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_channel;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 15;
    }`,
    });
    return {
      pid: program.pid,
      url: program.url,
      path: (channel) => `/events?channel=${channel || "bench"}`,
      health: "/healthz",
      publish: `${program.url}/publish?channel=${context.settings.channels > 0 ? "{channel}" : "bench"}`,
      stop: program.stop,
    };
  },
};
