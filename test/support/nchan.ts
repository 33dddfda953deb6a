import { existsSync } from "node:fs";
import { nginx, nginxMain } from "./nginx.ts";
import { findProgram } from "./programs.ts";
import { startProxy } from "./proxy-program.ts";
import { eventually } from "./reader.ts";

/** Debian's nginx with its nchan module: an event source in C that is independent of Spillway. */
export interface Nchan {
  /** The URL that a subscriber of the channel requests. */
  url(channel: string): string;
  /** Publishes one event and returns the id that nchan assigned: `<unix seconds>:<n>`. */
  publish(channel: string, event: string, data: string): Promise<string>;
  /**
   * Starts it again on the same port after {@link kill}. What it had buffered in memory is gone. Waits for the next
   * second of the clock, because nchan numbers within a second and would otherwise give the same ids again.
   */
  start(): Promise<void>;
  /** Kills it at once, which closes every connection. */
  kill(): Promise<void>;
  /** Kills it and removes its files. */
  close(): Promise<void>;
}

const module = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/** Whether nginx and the module are installed here. */
export const nchanInstalled: boolean = findProgram("nginx") !== undefined && existsSync(module);

/** Starts nginx with nchan on a free port of 127.0.0.1; each channel keeps its last `bufferLength` events. */
export async function startNchan(bufferLength = 10_000): Promise<Nchan> {
  const { port, start, kill, close } = await startProxy(nginx, (place) => ({
    [nginx.main]: configuration(place.port, bufferLength),
  }));
  const base = `http://127.0.0.1:${port}`;
  let killedAt = 0;
  return {
    url: (channel) => `${base}/events?channel=${channel}`,
    publish: (channel, event, data) => publish(`${base}/publish?channel=${channel}`, event, data),
    async start() {
      await eventually(() => seconds() > killedAt, "the next second");
      await start();
    },
    async kill() {
      await kill();
      killedAt = seconds();
    },
    close,
  };
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

function configuration(port: number, bufferLength: number): string {
  const http = `
  nchan_shared_memory_size 32M;
  server {
    listen 127.0.0.1:${port};
    location = /publish {
      nchan_publisher;
      nchan_channel_id $arg_channel;
      nchan_message_buffer_length ${bufferLength};
      nchan_message_timeout 0;
    }
    location = /events {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_channel;
      nchan_subscriber_first_message oldest;
      nchan_eventsource_ping_interval 5;
    }
  }`;
  return nginxMain(http, `load_module ${module};`);
}

async function publish(url: string, event: string, data: string): Promise<string> {
  const headers = { "X-EventSource-Event": event, "Accept": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: data });
  const answer = (await response.json()) as { readonly last_message_id: string };
  if (!response.ok) throw new Error(`nchan refused the event with ${response.status}`);
  return answer.last_message_id;
}
