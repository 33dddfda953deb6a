/**
 * Records the demo into an animated picture: `npm run record --prefix site`, after `npm run build`. It starts the demo, opens it in Chromium,
 * and presses the button that drops the connection: the replay follows.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import gifenc from "gifenc";
import { chromium } from "playwright-core";
import { PNG } from "pngjs";

const root = resolve(import.meta.dirname, "..");
const file = join(root, "docs/images/demo.gif");
const size = { width: 900, height: 560 };
/** Between two pictures, in ms. */
const delay = 500;
/** How many colours a picture has: the demo has few. */
const colours = 64;

const folder = await mkdtemp(join(tmpdir(), "spillway-demo-"));
const port = process.env.PORT ?? "8991";
const demo = spawn(process.execPath, [join(root, "examples/demo/start.js")], {
  cwd: folder,
  env: { ...process.env, PORT: port },
  stdio: ["ignore", "pipe", "inherit"],
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  await once(demo.stdout, "data");
  const page = await browser.newPage({ viewport: size, colorScheme: "light" });
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.locator("#state", { hasText: "live" }).first().waitFor();
  const pictures = await take(page, 5);
  await page.getByRole("button", { name: /drop my connection/i }).click();
  pictures.push(...(await take(page, 17)));
  const bytes = encode(pictures);
  await writeFile(file, bytes);
  console.log(`${pictures.length} pictures, ${(bytes.length / 1000).toFixed(0)} kB`);
} finally {
  await browser.close();
  const exited = once(demo, "exit");
  demo.kill("SIGTERM");
  await exited;
  await rm(folder, { recursive: true });
}

/** Takes pictures at equal times. */
async function take(page, count) {
  const pictures = [];
  for (let taken = 0; taken < count; taken++) {
    const next = new Promise((done) => void setTimeout(done, delay));
    pictures.push(PNG.sync.read(await page.screenshot()).data);
    await next;
  }
  return pictures;
}

/** An animated picture whose pictures contain only what has changed: the rest is transparent. */
function encode(pictures) {
  const { GIFEncoder, quantize, applyPalette } = gifenc;
  const gif = GIFEncoder();
  // One palette for all of them, so that what stays the same has the same colour.
  const palette = quantize(pictures.at(-1), colours - 1);
  const transparent = palette.length;
  let before;
  for (const [index, picture] of pictures.entries()) {
    const colour = applyPalette(picture, palette);
    const changed =
      before === undefined ? colour : colour.map((value, at) => (value === before[at] ? transparent : value));
    before = colour;
    gif.writeFrame(changed, size.width, size.height, {
      palette: index === 0 ? [...palette, [0, 0, 0]] : undefined,
      delay: index === pictures.length - 1 ? delay * 4 : delay,
      transparent: index > 0,
      transparentIndex: transparent,
      dispose: 1,
    });
  }
  gif.finish();
  return gif.bytes();
}
