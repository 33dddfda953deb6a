/**
 * Starts the server of a part of the demo, and prints its address. As a child process of the demo, it ends with its parent.
 *
 * @param {import("node:http").Server} server
 */
export function listen(server, name, port, path = "") {
  server.once("error", (error) => {
    console.error(`${name}: ${error.message}`);
    process.exit(1);
  });
  server.listen(Number(port ?? 0), "127.0.0.1", () => {
    console.log(`The ${name} is at http://127.0.0.1:${server.address().port}${path}`);
  });
  const exit = () => process.exit(0);
  process.once("SIGTERM", exit);
  if (!process.send) return;
  process.once("disconnect", exit);
  // Ctrl-C in a terminal signals all its processes; the parent ends this one.
  process.on("SIGINT", () => {});
}
