# One image for every process of LabelHub; docker-compose.yml says which of them a container runs.
FROM python:3.11.14-slim-bookworm

# Which build of torch: requirements.lock names a version without a build, so pip takes the one that
# its index offers. Where that is a GPU build of several gigabytes and a CPU build is wanted, or the
# other way round, name the index of the build, which torch and nothing else is then taken from:
#   TORCH_INDEX=ADDRESS docker compose build
ARG TORCH_INDEX=""

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    LABELHUB_MODE=production \
    LABELHUB_STATIC_DIR=/srv/static \
    DATA_DIR=/data

WORKDIR /srv/labelhub

# The dependencies first: they change seldom, and their layer is the big one.
COPY requirements.lock ./
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.lock)"; \
    fi \
    && pip install -r requirements.lock

COPY manage.py ./
COPY labelhub labelhub
COPY classifier classifier
COPY workers workers
COPY templates templates
COPY fixtures fixtures

# The settings refuse to start without these three; the values live for this step alone, and nothing
# of them stays in the image.
RUN LABELHUB_SECRET_KEY=only-while-the-image-is-built \
    DATABASE_URL=sqlite:////tmp/never-opened.sqlite3 \
    REDIS_URL=redis://never-opened:6379/0 \
    python manage.py collectstatic --noinput --verbosity 0

# The processes cannot write beside the code, and would compile it again at each start.
RUN python -m compileall -q labelhub classifier workers fixtures

# A number, so that Kubernetes and the like can see that it is not root. The code stays root's: the
# processes can read it and not change it. A new volume at /data takes over the folder's owner.
RUN groupadd --system --gid 10001 labelhub \
    && useradd --system --uid 10001 --gid labelhub --home-dir /nonexistent labelhub \
    && install -d -o labelhub -g labelhub -m 750 /data
USER 10001:10001
