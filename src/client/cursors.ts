import type { CursorStore } from "./options.ts";

/** Stores the position in `sessionStorage`: a tab resumes after a reload. Without access to it, nothing is stored. */
export function sessionCursor(name: string): CursorStore {
  return storageCursor(name, () => sessionStorage);
}

/** Stores the position in `localStorage`: the next visit resumes. Only one tab at a time should use a name. */
export function localCursor(name: string): CursorStore {
  return storageCursor(name, () => localStorage);
}

/** @param open throws an error where the user has blocked storage */
function storageCursor(name: string, open: () => Storage): CursorStore {
  const key = `spillway:${name}`;
  return {
    load() {
      try {
        return open().getItem(key);
      } catch {
        return undefined;
      }
    },
    save(cursor) {
      try {
        open().setItem(key, cursor);
      } catch {
        // Blocked or full.
      }
    },
  };
}
