/** A configuration to start from. */
export interface StarterConfig {
  readonly description: string;
  /** YAML. An option that is commented out has no space after its `#`, and is valid without it. */
  readonly text: string;
}

const foot = `
# Where events are stored. Default: sqlite:./spillway.db. Nodes that share a log: postgres://…, mysql://…, redis://… or nats://…
#store: sqlite:./events.db
`;

const publicAccess = (rights: string): string => `
# Only this machine can connect until you set an address. Then an access section must say what clients may do. Keys and tokens:
# docs/guides/access.md in the package.
#listen: :8080
#access: { anonymous: [${rights}] }
`;

/** What `spillway init` writes, by the case that it is for. */
export const starterConfigs: Readonly<Record<string, StarterConfig>> = {
  feed: {
    description: "one connection to an event source, for any number of clients",
    text: `# A gateway in front of an event source. Check this file with "npx spillway check", start it with "npx spillway serve".
# Every option: docs/reference/config.md in the package.

streams:
  feed: # clients subscribe to /streams/feed
    upstream:
      # Put SOURCE_URL=… into a file .env beside this one, because it may contain a key.
      url: \${SOURCE_URL:-https://source.example/events}
      # Credentials in a header:
      #headers: { authorization: "Bearer \${SOURCE_TOKEN}" }
      # How the source resumes after the last event. Default: by the header Last-Event-ID.
      #resume: { query: last-id }
      # Connect with the first client only, and disconnect after the last. Default: always, so that the log has no gaps.
      #connect: on-demand
    # The channel of an event, by which clients filter: a JSON pointer into its data.
    #channel: /symbol
    # How long events can be replayed. These are the defaults.
    retention: { age: 24h, bytes: 1GiB }
${publicAccess("subscribe")}${foot}`,
  },
  publish: {
    description: "a stream that your own programs publish to",
    text: `# A gateway for events that your programs publish. Check this file with "npx spillway check", start it with "npx spillway serve".
# Every option: docs/reference/config.md in the package.

streams:
  events: # publish: POST /streams/events/events; subscribe: GET /streams/events
    # How long events can be replayed. These are the defaults.
    retention: { age: 24h, bytes: 1GiB }
    # Webhooks instead of publishers: POST /streams/events/webhook, for github, stripe, slack, shopify, standard or hmac.
    #webhook: { scheme: github, secret: "\${WEBHOOK_SECRET}" }

access:
  # What clients without a key may do. Others need a key: npx spillway key new --name shop --can publish --streams events
  anonymous: [subscribe, publish]
  # Pages of other origins that may connect.
  #cors: { origins: ["https://app.example"] }

# The address to listen on. Default: 127.0.0.1:8080. Remove publish from access.anonymous before other machines can connect.
#listen: :8080
${foot}`,
  },
  route: {
    description: "a reverse proxy for event streams that belong to one client each",
    text: `# A reverse proxy that streams responses without buffering. Check this file with "npx spillway check", start it with
# "npx spillway serve". Every option: docs/reference/config.md in the package.

routes:
  /api/**: # a path, or a pattern with * and **
    upstream:
      urls:
        - http://127.0.0.1:3001
        - http://127.0.0.1:3002
      # How a target is chosen. Default: round-robin.
      balance: least-requests
      # Targets that fail this check get no requests.
      #health: { path: /healthz, every: 5s }
    # The path that targets see: /api/users becomes /users.
    #path: { strip: /api }
${publicAccess("proxy")}`,
  },
};
