import { SpillwayError } from "../errors.ts";
import { fail, ok, warn, type Check } from "./check.ts";
import { readableTime } from "./quantity.ts";

/**
 * Whether the log that is there can be opened. That another process has it open is how things are while a gateway runs.
 * @param open opens the log as a gateway does, and closes it
 */
export async function checkStore(place: string, open: () => Promise<void>): Promise<Check> {
  try {
    await open();
    return ok("store", `${place} can be opened`);
  } catch (error) {
    const { code, message } = asStoreError(error);
    if (code !== "store-locked")
      return fail("store", `${code}: ${message}`, `see docs/reference/errors.md for ${code}`);
    const advice = "right if that is the gateway; a second one would be refused";
    return warn("store", `another process holds ${place}`, advice);
  }
}

/**
 * Whether a log can be written in the folder.
 * @param write makes a log of its own there, appends an event and removes it; resolves to how long the append took, in ms
 */
export async function checkStoreWrites(folder: string, write: () => Promise<number>): Promise<Check> {
  try {
    return ok("store-write", `an event was durable in ${folder} after ${readableTime(await write())}`);
  } catch (error) {
    const { code, message } = asStoreError(error);
    return fail("store-write", `${code}: ${message}`, `see docs/reference/errors.md for ${code}`);
  }
}

function asStoreError(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof SpillwayError) return error;
  const { code = "store-unavailable", message } = error as NodeJS.ErrnoException;
  return { code, message };
}
