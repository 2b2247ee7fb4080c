# Debian's Pebble, an ACME server for tests, and lego, an ACME client. The build context "scripts" is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE}
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install pebble lego openssl ca-certificates
