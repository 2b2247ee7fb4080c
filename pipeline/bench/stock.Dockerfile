# Stock OSSEC, to compare with: upstream's own install.sh and its defaults, as root, on the base of our image.
# The build context "source" holds ossec.tar.gz, "scripts" is docker/build/.
ARG BASE=scratch
# hadolint ignore=DL3006
FROM ${BASE} AS base
ARG SNAPSHOT=


FROM base AS build
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install gcc libc6-dev make libevent-dev libpcre2-dev libssl-dev zlib1g-dev libmagic-dev libsystemd-dev procps

ARG VERSION
ARG SOURCE_SHA256
ARG EXTRA_CFLAGS=
# No active response, syscheck or rootcheck, which would work for no event that the bench sends.
ENV USER_LANGUAGE=en USER_NO_STOP=y USER_INSTALL_TYPE=server USER_DIR=/var/ossec USER_ENABLE_EMAIL=n \
    USER_ENABLE_ACTIVE_RESPONSE=n USER_ENABLE_SYSCHECK=n USER_ENABLE_ROOTCHECK=n USER_ENABLE_SYSLOG=y
WORKDIR /build
RUN --mount=from=source,target=/source echo "$SOURCE_SHA256  /source/ossec.tar.gz" > sum \
    && sha256sum --check --strict sum \
    && tar -xzf /source/ossec.tar.gz \
    && CFLAGS="$EXTRA_CFLAGS" "./ossec-hids-$VERSION/install.sh"
# Syslog over UDP and TCP in place of upstream's two <remote>; each line is kept in the archive, as in ours.
COPY remote.conf /build/
RUN sed -i -e '/<remote>/,/<\/remote>/d' -e '/<ossec_config>/r /build/remote.conf' /var/ossec/etc/ossec.conf


FROM base
ARG PACKAGES=
# hadolint ignore=SC2086
RUN --mount=type=bind,from=scripts,target=/mnt /mnt/apt-install libevent-2.1-7t64 libpcre2-8-0 libssl3t64 zlib1g libmagic1t64 libsystemd0 procps $PACKAGES
COPY --from=build /etc/passwd /etc/group /etc/ossec-init.conf /etc/
COPY --from=build /var/ossec /var/ossec
COPY --chmod=0755 start /usr/local/bin/
EXPOSE 514/udp 514/tcp
ENTRYPOINT ["start"]
