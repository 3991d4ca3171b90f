# The shop of examples/shop as a small image that runs as nobody in particular:
#
#   docker build -t nest-kappa-shop .
#
# It keeps no data: name a database by DATABASE_URL, and brokers by KAFKA_BROKERS where Kafka is to carry the log. compose.yaml does.
# The project's tests look at this file's form and at the files it names; they have no container engine to build it with.

FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY test/types/typescript-6/package.json test/types/typescript-6/package.json
RUN npm ci --ignore-scripts --omit=optional --no-audit --no-fund
COPY . .
RUN npm run build
# What the example runs on stands among the packages for development: it stays, at its locked version, and the others go.
RUN node scripts/keep-for-image.mjs examples/shop && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/examples/shop/dist ./examples/shop/dist
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT ?? 3000) + '/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "examples/shop/dist/src/main.js"]
