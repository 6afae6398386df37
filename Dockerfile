# A container of the gateway; docs/operations.md says how it is run.
FROM debian:12-slim AS build
WORKDIR /source
COPY . .
RUN ./bootstrap deb && tools/make-deb && rm -f build/deb/*-dbgsym_*.deb build/deb/p1mb-config_*.deb

FROM debian:12-slim
COPY --from=build /source/build/deb/*.deb /tmp/
# systemd-standalone-sysusers makes the user, in place of all of systemd.
RUN apt-get update && apt-get install --yes --no-install-recommends systemd-standalone-sysusers ca-certificates /tmp/*.deb \
    && rm -rf /tmp/*.deb /var/lib/apt/lists/* \
    && install -d -o smart-connect -g smart-connect -m 700 /var/lib/smart-connect
USER smart-connect
VOLUME /var/lib/smart-connect
EXPOSE 1502 8080 8443
ENTRYPOINT ["smart-connect", "run"]
