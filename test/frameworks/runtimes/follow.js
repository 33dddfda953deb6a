/** Prints the data of each event until the last one, which is `end`: follow.js <url> <token>. */
import { subscribe } from "spillway/client";

const [url, token] = process.argv.slice(2);
const subscription = subscribe(url, {
  token,
  backoff: { min: 10, max: 100 },
  onGap: ({ reason }) => console.log(`gap ${reason}`),
});
subscription.onState(({ status }) => console.log(`state ${status}`));
for await (const { raw } of subscription) {
  console.log(`event ${raw}`);
  if (raw === "end") break;
}
