import { setTimeout } from "node:timers/promises";
import { chromium, type Browser, type Page } from "playwright-core";
import { findProgram } from "./programs.ts";
import type { Received, Recorder } from "./recorder.ts";

const program = findProgram("chromium");

/** Whether Debian's Chromium is installed here. */
export const chromiumInstalled: boolean = program !== undefined;

/** A headless Chromium without background network traffic. */
export const chromiumOptions = {
  executablePath: program ?? "chromium",
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
};

export function launchChromium(): Promise<Browser> {
  return chromium.launch(chromiumOptions);
}

/**
 * Stops the process of a page, as when the machine sleeps: nothing of it runs, and its sockets stay open. Returns the function that
 * continues it.
 */
export async function stopPage(browser: Browser, page: Page): Promise<() => void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  for (const { id } of processInfo.filter(({ type }) => type === "renderer")) {
    process.kill(id, "SIGSTOP");
    // A page of another process answers at once.
    const answer = await Promise.race([page.evaluate("1"), setTimeout(2000)]);
    if (answer === undefined) return () => void process.kill(id, "SIGCONT");
    process.kill(id, "SIGCONT");
  }
  throw new Error("no process of the page was found");
}

/** A page that opens the browser's `EventSource` and records its events. Serve it from the origin of the stream. */
export const recordingPage = `<!doctype html>
<title>recorder</title>
<script>
  const received = [];
  function record(path, types) {
    const source = new EventSource(path);
    for (const type of new Set(["message", ...types])) {
      source.addEventListener(type, ({ data, lastEventId }) => received.push({ event: type, data, id: lastEventId }));
    }
  }
</script>`;

/** Opens {@link recordingPage} at `origin` and lets it subscribe to a path there. */
export async function openRecordingPage(
  browser: Browser,
  origin: string,
  path: string,
  types: readonly string[],
): Promise<Recorder> {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.evaluate(`record(${JSON.stringify(path)}, ${JSON.stringify(types)})`);
  return {
    received: () => page.evaluate<readonly Received[]>("received"),
    close: () => page.close(),
  };
}
