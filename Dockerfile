# Versus in a container, and the tracking server of deploy/compose.yaml.
#   docker build -t versus .                       CPU build of PyTorch
#   docker build -t versus --build-arg TORCH=cuda .
#   docker build -t versus-server --target server .
ARG PYTHON=3.11.14

FROM python:${PYTHON}-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MLFLOW_DISABLE_TELEMETRY=true MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false DVC_NO_ANALYTICS=1 \
    GIT_PYTHON_REFRESH=quiet
RUN useradd --create-home --uid 1000 versus

# The tracking server needs MLflow and its drivers, in the versions of the lock, and no PyTorch.
FROM base AS server
COPY requirements.lock /tmp/requirements.lock
RUN pip install -c /tmp/requirements.lock mlflow Flask-WTF boto3 "psycopg[binary]"
COPY deploy/serve deploy/basic_auth.ini deploy/bucket.py deploy/users.py /opt/deploy/
USER versus
WORKDIR /home/versus
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health', timeout=4)"]
ENTRYPOINT ["/opt/deploy/serve"]

# What `make setup` does, in steps that are kept while the code changes. The project is a folder of
# the user's: -v "$PWD/work:/work"; params come along.
FROM base AS versus
ARG TORCH=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/versus
COPY requirements.lock ./
RUN if [ "$TORCH" = cpu ]; then \
        pip install --no-deps --extra-index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.lock)"; \
    fi \
    && pip install -r requirements.lock
COPY pyproject.toml README.md LICENSE MLproject conda.yaml dvc.yaml dvc.lock ./
COPY src ./src
COPY params ./params
COPY evaluation ./evaluation
RUN pip install --no-deps --no-build-isolation -e . \
    && pip check \
    && mkdir /work \
    && ln -s /opt/versus/params /opt/versus/evaluation /work/ \
    && chown versus:versus /work
USER versus
ENV VERSUS_ROOT=/work
WORKDIR /work
VOLUME /work
HEALTHCHECK --interval=60s --timeout=30s CMD ["versus", "list"]
ENTRYPOINT ["versus"]
CMD ["--help"]
