# A machine with Debian's own Docker engine, to be run in a privileged container. The build context "scripts" is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE}
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install docker.io docker-cli iptables
