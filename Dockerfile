# syntax=docker/dockerfile:1
# One image for every role: the executable with its web app inside, nothing else. The role is the container's command:
# serve, gateway, ledger, projector, migrate, audit …

FROM node:22-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY web ./
RUN npm run --silent build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=web /src/web/dist ./web/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package tollgate && cp target/release/tollgate /tollgate

FROM debian:bookworm-slim
# Roots for TLS to providers; curl for the health checks of compose.yaml.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin tollgate \
    && install -d -o tollgate -g tollgate -m 0700 /data
COPY --from=build /tollgate /usr/local/bin/tollgate
USER tollgate
WORKDIR /data
ENV TOLLGATE_DATA_DIR=/data TOLLGATE_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD curl --fail --silent --show-error http://127.0.0.1:8080/readyz
ENTRYPOINT ["/usr/local/bin/tollgate"]
CMD ["serve"]
