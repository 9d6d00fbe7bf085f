# The image of the api, the dispatcher, the migration, the operator's commands and Flower. It has no torch.
#   docker build -f deploy/api.Dockerfile -t stemsvc-api:0.2.0 .
# The digest is that of the image for all architectures. Change it together with the tag.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
FROM ${BASE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1
# The packages stand in a layer of their own, here and below: a change of our code leaves it as it is.
COPY deploy/install.sh deploy/api.lock deploy/
RUN deploy/install.sh /opt/stemsvc deploy/api.lock --packages
COPY pyproject.toml README.md LICENSE ./
COPY deploy/stage.sh deploy/
COPY stemsvc stemsvc
COPY client/src client/src
COPY api api
COPY workers/__init__.py workers/
RUN deploy/stage.sh /opt/stemsvc /staged

FROM ${BASE}
COPY --from=build /opt/stemsvc /opt/stemsvc
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/stemsvc
ENV PATH=/opt/stemsvc/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    STEMSVC_DATA_DIR=/var/lib/stemsvc
COPY --from=build /staged /
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="stemsvc-api" \
      org.opencontainers.image.description="Music source separation as a service: the HTTP API" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT" \
      org.stemsvc.sbom="/opt/stemsvc/packages.json"
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8080/healthz/live', timeout=4).raise_for_status()"]
ENTRYPOINT ["stemsvc"]
CMD ["api", "--host", "0.0.0.0", "--port", "8080"]
