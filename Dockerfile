# One image for every part: `docker run tidings-server api`, `dispatcher`, `gateway`, `archiver`, `bridge`.
# tests/house/test_image.py replays the pip steps: keep them plain.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml constraints.txt LICENSE CHANGELOG.md ./
COPY sdk/ sdk/
COPY api/ api/
COPY workers/ workers/
RUN python -m pip wheel --constraint constraints.txt --wheel-dir /wheels ./sdk '.[rabbitmq,kafka,postgres]'
RUN python -m venv --without-pip /opt/tidings
RUN python -m pip --python /opt/tidings/bin/python install --no-index --find-links /wheels 'tidings-server[rabbitmq,kafka,postgres]'

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 tidings \
 && useradd --system --uid 10001 --gid tidings --no-create-home --home-dir /var/lib/tidings tidings \
 && install --directory --owner tidings --group tidings --mode 0700 /var/lib/tidings
COPY --from=build /opt/tidings /opt/tidings
ENV PATH=/opt/tidings/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TIDINGS_DATA=/var/lib/tidings \
    TIDINGS_HOST=0.0.0.0 \
    TIDINGS_REALTIME_HOST=0.0.0.0
USER tidings
WORKDIR /var/lib/tidings
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
# Every part answers on its operator port. Live, not ready: a restart can't help while Redis is unavailable.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('TIDINGS_OPERATOR_PORT', '8002') + '/health/live', timeout=2)"]
ENTRYPOINT ["tidings-server"]
CMD ["--help"]
