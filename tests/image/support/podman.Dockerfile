# A machine with systemd and Debian's Podman, to be run in a privileged container. The build context "scripts" is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE}
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install systemd systemd-sysv dbus dbus-user-session \
    podman crun netavark aardvark-dns passt uidmap fuse-overlayfs nftables
