import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { docFiles, root } from "./doc-blocks.ts";

/** The application of a guide, in a folder of its own. */
export interface GuideApp {
  readonly folder: string;
  remove(): Promise<void>;
}

/**
 * Writes the files of a page, and those of folders beside, to a folder below a package, so that the package's dependencies
 * and this `spillway` are found.
 * @param packageFolder relative to the root
 * @param page relative to the root
 * @param extra what the guide leaves to the reader: folders, relative to the package
 */
export async function makeGuideApp(packageFolder: string, page: string, ...extra: string[]): Promise<GuideApp> {
  const home = join(root, packageFolder);
  const link = join(home, "node_modules/spillway");
  await rm(link, { force: true });
  await symlink(root, link);
  const folder = await mkdtemp(join(home, ".app-"));
  for (const each of extra) await cp(join(home, each), join(folder, each), { recursive: true });
  for (const { name, text } of docFiles(page)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return {
    folder,
    remove: () => rm(folder, { recursive: true }),
  };
}
