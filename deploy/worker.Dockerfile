# The image of workers and the fetcher. TORCH_INDEX chooses torch for CPUs or for CUDA (see deploy/README.md):
#   docker build -f deploy/worker.Dockerfile --build-arg TORCH_INDEX=... -t stemsvc-worker-cpu:0.2.0 .
# The digest is that of the image for all architectures. Change it together with the tag.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
FROM ${BASE} AS build
ARG TORCH_INDEX=""
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1
# The packages, up to 5 GB, stand in a layer of their own, here and below: a change of our code leaves it as it is.
COPY deploy/install.sh deploy/worker.lock deploy/torch-cpu.lock deploy/cuda.lock deploy/
RUN TORCH_INDEX="${TORCH_INDEX}" deploy/install.sh /opt/stemsvc deploy/worker.lock --packages
COPY pyproject.toml README.md LICENSE ./
COPY deploy/stage.sh deploy/
COPY stemsvc stemsvc
COPY client/src client/src
COPY api/__init__.py api/
COPY workers workers
RUN deploy/stage.sh /opt/stemsvc /staged

FROM ${BASE}
COPY --from=build /opt/stemsvc /opt/stemsvc
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/stemsvc /var/lib/stemsvc/devices \
    && install -d -o 10001 -g 10001 /var/cache/stemsvc
# the two NVIDIA variables ask the NVIDIA runtime to mount its driver; on CPUs nothing reads them
ENV PATH=/opt/stemsvc/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    STEMSVC_DATA_DIR=/var/lib/stemsvc \
    STEMSVC_CACHE_DIR=/var/cache/stemsvc \
    STEMSVC_ALIVE_FILE=/var/lib/stemsvc/alive
COPY --from=build /staged /
ARG VERSION=0.2.0
ARG REVISION=unknown
ARG DEVICE=cpu
LABEL org.opencontainers.image.title="stemsvc-worker-${DEVICE}" \
      org.opencontainers.image.description="Music source separation as a service: Demucs workers" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT" \
      org.stemsvc.sbom="/opt/stemsvc/packages.json"
USER 10001:10001
HEALTHCHECK --interval=20s --timeout=5s --start-period=300s \
  CMD ["sh", "-c", "test $(($(date +%s) - $(stat -c %Y /var/lib/stemsvc/alive))) -lt 60"]
ENTRYPOINT ["stemsvc"]
CMD ["worker", "--model", "*", "--device", "cpu"]
