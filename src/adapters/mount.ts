/**
 * The path below which a route with a wildcard at its end is mounted: for the route `/t/:tenant/live/*` and the path
 * `/t/a/live/streams`, it is `/t/a/live`.
 */
export function mountOf(route: string, path: string): string {
  const depth = route.replace(/\/?\*$/, "").split("/").length;
  return path.split("/").slice(0, depth).join("/");
}

/** The rest of a path below a mount; the whole path if it is not below it. */
export function withoutMount(path: string, mount = ""): string {
  return path.startsWith(mount) ? path.slice(mount.length) : path;
}
