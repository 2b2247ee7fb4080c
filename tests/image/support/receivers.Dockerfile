# Where the tests let alerts go, each receiver in Debian's version: ntfy, Alertmanager, Apprise, and Prometheus with promtool.
# The build context "scripts" is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE}
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install ntfy prometheus-alertmanager prometheus apprise \
    python3-django gunicorn
