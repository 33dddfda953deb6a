/**
 * Sends to everyone, to one user on all devices, and to one connection; and lists who is online.
 *
 *     node examples/reach-users.js
 *     curl -N http://127.0.0.1:8080/live/streams/app -H 'X-User: ada'
 *     curl http://127.0.0.1:8080/users/ada/notices -H 'content-type: application/json' -d '{"text":"hello"}'
 */
import express from "express";
import { createGateway } from "spillway";

const gateway = await createGateway({
  store: "memory:",
  streams: { app: {} },
  access: {
    // Who the user is: in a real program from its session. A user may read its own channel, and what is for everyone.
    authorize({ request }) {
      const user = request.header("x-user");
      return user && { subject: user, channels: [`user:${user}`], broadcast: true };
    },
  },
});
const live = gateway.stream("app");

const app = express();
app.use("/live", gateway.node());
app.use(express.json());
app.post("/broadcast", async ({ body }, response) => response.json(await live.publish("notice", body)));
app.post("/users/:user/notices", async ({ params, body }, response) =>
  response.json(await live.to(`user:${params.user}`).publish("notice", body)),
);
// The page has the id from the event `connected`.
app.post("/connections/:client/progress", async ({ params, body }, response) =>
  response.json({ delivered: await live.send(params.client, "progress", body) }),
);
app.get("/online", async (_, response) => {
  const users = new Set();
  for await (const { subject } of live.clients()) users.add(subject);
  response.json([...users]);
});

const server = app.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`the stream is at http://127.0.0.1:${server.address().port}/live/streams/app`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    server.close();
    await gateway.close();
    process.exit(0);
  });
}
