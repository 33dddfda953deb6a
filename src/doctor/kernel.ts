import { ok, warn, type Check } from "./check.ts";
import { readableSize } from "./quantity.ts";

/** The settings that are looked at, by their names under `/proc/sys` with dots. */
export const kernelSettings = [
  "net.core.somaxconn",
  "net.ipv4.tcp_max_syn_backlog",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_mem",
] as const;

export type KernelSetting = (typeof kernelSettings)[number];

/** The whole numbers that each setting holds; absent where it cannot be read. */
export type KernelReading = Readonly<Partial<Record<KernelSetting, readonly number[]>>>;

/** The server asks for no longer queue. */
const longestQueue = 65_535;

/** The kernel counts in pages, and a connection with bytes under way has at least one for each direction. */
const [pageSize, pagesPerConnection] = [4_096, 2];

/** @param connections that the whole gateway is to hold */
export function checkKernel(reading: KernelReading, connections: number): readonly Check[] {
  return kernelSettings.map((setting) => {
    const values = reading[setting];
    if (!values) return warn(setting, "skipped: it cannot be read here", "see it on the machine that serves");
    return judges[setting](values, connections);
  });
}

type Judge = (values: readonly number[], connections: number) => Check;

const judges: Readonly<Record<KernelSetting, Judge>> = {
  "net.core.somaxconn": (values, connections) => queue("net.core.somaxconn", values, connections),
  "net.ipv4.tcp_max_syn_backlog": (values, connections) => queue("net.ipv4.tcp_max_syn_backlog", values, connections),

  "net.ipv4.ip_local_port_range"([first = 0, last = 0], connections) {
    const ports = last - first + 1;
    const found = `${ports} ports for connections that this machine opens`;
    if (ports >= connections) return ok("net.ipv4.ip_local_port_range", found);
    const advice = `for a proxy on this machine, which opens one for each of ${connections} clients: set it to "1024 65535"`;
    return warn(
      "net.ipv4.ip_local_port_range",
      found,
      `${advice}, and beyond that let Spillway have several addresses`,
    );
  },

  "net.ipv4.tcp_mem"([, , most = 0], connections) {
    const [has, needs] = [most * pageSize, connections * pagesPerConnection * pageSize];
    const found = `${readableSize(has)} for all socket buffers`;
    if (has >= needs) return ok("net.ipv4.tcp_mem", found);
    const advice = `raise it to ${readableSize(needs)} or more, or lower limits.connections`;
    return warn("net.ipv4.tcp_mem", `${found}, little for ${connections} connections`, advice);
  },
};

/** A queue that holds a quarter of the clients when all come back at once; the others try again a second later. */
function queue(setting: KernelSetting, [length = 0]: readonly number[], connections: number): Check {
  const wanted = Math.min(longestQueue, Math.ceil(connections / 4));
  const found = `${length} connections may wait`;
  if (length >= wanted) return ok(setting, found);
  const advice = `sysctl -w ${setting}=${longestQueue}`;
  return warn(setting, `${found}, few for ${connections} clients that come back at once`, advice);
}
