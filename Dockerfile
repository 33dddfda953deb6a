# Spillway in a container. docs/operations/deploy.md describes how to run it.

FROM node:24-bookworm-slim AS base

FROM base AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY dashboard ./dashboard
# Keep the drivers of all stores, because users cannot install packages in the image. The optional dependencies are not needed: they are
# for the compiler, and a SQLite driver for Node 20.
RUN npm run build \
  && find dist -name '*.d.ts' -delete \
  && npm pkg set $(node -p "Object.entries(require('./package.json').peerDependencies).map((driver) => 'dependencies.' + driver.join('=')).join(' ')") \
  && npm pkg delete devDependencies \
  && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM base
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Spillway" \
  org.opencontainers.image.description="A durable Server-Sent Events gateway" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"

# The program is owned by root and only /data by the user, so a compromised process cannot change the program.
WORKDIR /app
COPY --chown=root:root LICENSE package.json ./
COPY --from=build --chown=root:root /build/node_modules ./node_modules
COPY --from=build --chown=root:root /build/dist ./dist
RUN ln -s /app/dist/cli/main.js /usr/local/bin/spillway && install -d -o 1000 -g 1000 /data

# Numeric, so that Kubernetes can verify that it is not root. This is the user `node` of the base image.
USER 1000:1000
# The default store is `spillway.db` in this directory.
WORKDIR /data
VOLUME /data
ENV NODE_ENV=production \
  SPILLWAY_LISTEN=0.0.0.0:8080 \
  SPILLWAY_HEALTH_URL=http://127.0.0.1:8080/healthz
EXPOSE 8080

STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.SPILLWAY_HEALTH_URL).then(({ok}) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# Node is process 1, so it receives signals directly.
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve", "--config", "/etc/spillway/spillway.yaml"]
