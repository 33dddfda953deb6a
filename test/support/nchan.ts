import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { findProgram } from "./programs.ts";
import { eventually } from "./reader.ts";

/** Debian's nginx with its nchan module: an event source in C that knows nothing of Spillway. */
export interface Nchan {
  /** What a subscriber of the channel asks for. */
  url(channel: string): string;
  /** Publishes one event and answers with the id that nchan gave it: `<unix seconds>:<n>`. */
  publish(channel: string, event: string, data: string): Promise<string>;
  /**
   * Starts it again on the same port after {@link kill}. What it had buffered in memory is gone. Waits for the next
   * second of the clock, because nchan numbers within a second and would otherwise give the same ids again.
   */
  start(): Promise<void>;
  /** Kills it at once, cutting every connection. */
  kill(): Promise<void>;
  /** Kills it and removes its files. */
  close(): Promise<void>;
}

const program = findProgram("nginx");
const module = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/** Whether nginx and the module are installed here. */
export const nchanInstalled: boolean = program !== undefined && existsSync(module);

/** Starts nginx with nchan on a free port of 127.0.0.1; each channel keeps its last `bufferLength` events. */
export async function startNchan(bufferLength = 10_000): Promise<Nchan> {
  const directory = await mkdtemp(join(tmpdir(), "spillway-nchan-"));
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  await writeFile(join(directory, "nginx.conf"), configuration(port, bufferLength));
  let nginx: ChildProcess | undefined;
  let killedAt = 0;

  async function start(): Promise<void> {
    await eventually(() => seconds() > killedAt);
    const child = spawn(program ?? "nginx", ["-p", directory, "-c", "nginx.conf"], { stdio: "ignore" });
    nginx = child;
    await eventually(() => child.exitCode !== null || answers(`${base}/up`));
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}; run it on ${directory}`);
  }

  async function kill(): Promise<void> {
    const child = nginx;
    nginx = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    killedAt = seconds();
  }

  await start();
  return {
    url: (channel) => `${base}/events?channel=${channel}`,
    publish: (channel, event, data) => publish(`${base}/publish?channel=${channel}`, event, data),
    start,
    kill,
    async close() {
      await kill();
      await rm(directory, { recursive: true });
    },
  };
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** One process in the foreground, so that there is one pid to kill. */
function configuration(port: number, bufferLength: number): string {
  return `
load_module ${module};
daemon off;
master_process off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  nchan_shared_memory_size 32M;
  server {
    listen 127.0.0.1:${port};
    location = /up { return 204; }
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
  }
}
`;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function publish(url: string, event: string, data: string): Promise<string> {
  const headers = { "X-EventSource-Event": event, "Accept": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: data });
  const answer = (await response.json()) as { readonly last_message_id: string };
  if (!response.ok) throw new Error(`nchan refused the event with ${response.status}`);
  return answer.last_message_id;
}
