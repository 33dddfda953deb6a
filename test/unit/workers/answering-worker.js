import { spawn } from "node:child_process";
import { createServer } from "node:net";

/** Where Node hands over connections. */
const channel = 3;

// Keeps the worker's end of the channel open when the worker has ended.
const keeper = spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", channel] });

createServer((socket) => {
  socket.on("error", () => {});
  socket.end(JSON.stringify({ pid: process.pid, keeper: keeper.pid }));
}).listen(0, "127.0.0.1");
