# Steward: one image, several commands (web, worker, beat, or `up` for everything in one process).
FROM python:3.13-slim

RUN groupadd --system steward && useradd --system --gid steward --home-dir /app steward
WORKDIR /app

# Requirements first: they change less often than the code.
COPY requirements/production.txt requirements/production.txt
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements/production.txt

COPY . .
RUN mkdir -p /data && chown steward:steward /data
ENV STEWARD_BOOTSTRAP=off \
    DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=8000 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production
USER steward
VOLUME /data
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=5)"]

CMD ["python", "manage.py", "web"]
