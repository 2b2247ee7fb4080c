# What the tests send with, each sender in Debian's version, and Podman's generator of units. The build context "scripts"
# is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE} AS base

FROM base AS quadlet
WORKDIR /podman
RUN apt-get update && apt-get download podman && dpkg-deb --extract podman_*.deb .

# Its package and syslog-ng's conflict, its files do not.
FROM base AS rsyslog
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install rsyslog rsyslog-openssl rsyslog-relp

FROM base
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install haproxy syslog-ng-core python3-minimal libpython3-stdlib systemd
COPY --from=rsyslog /usr/sbin/rsyslogd /usr/sbin/
COPY --from=rsyslog /usr/lib/ /usr/lib/
COPY --from=quadlet /podman/usr/libexec/podman/quadlet /usr/local/bin/
