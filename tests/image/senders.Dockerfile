# What the tests send with, each sender in Debian's version, and Podman's generator of units. The build context "scripts"
# is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE} AS base

FROM base AS quadlet
WORKDIR /podman
RUN apt-get update && apt-get download podman && dpkg-deb --extract podman_*.deb .

FROM base
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install syslog-ng-core rsyslog rsyslog-openssl rsyslog-relp \
    python3-minimal libpython3-stdlib systemd
COPY --from=quadlet /podman/usr/libexec/podman/quadlet /usr/local/bin/
