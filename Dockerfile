# Puna's server on processors: docker build -t puna . (docs/operations.md, "In a container").
# The engine is compiled in the first stage, the second carries no compiler.
FROM python:3.13-slim-trixie AS build

RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake ninja-build \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/puna

# An image may run on another machine than the one that builds it; -DGGML_NATIVE=on is for this one.
ARG CMAKE_ARGS="-DGGML_NATIVE=off"

# The engine and the other packages stay in the cache until pyproject.toml changes.
WORKDIR /source
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > /tmp/requirements.txt \
    && CMAKE_ARGS="$CMAKE_ARGS" CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" \
        /opt/puna/bin/pip install --no-cache-dir -r /tmp/requirements.txt
COPY README.md LICENSE ./
COPY puna puna
RUN /opt/puna/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim-trixie

# the engine's threads
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home puna \
    && install -d -o puna -g puna -m 0700 /var/lib/puna
COPY --from=build /opt/puna /opt/puna

# PUNA_NO_START: no command starts a second server, the check of health neither.
ENV PATH="/opt/puna/bin:$PATH" \
    OLLAMA_HOST=0.0.0.0:11434 \
    PUNA_HOME=/var/lib/puna \
    PUNA_NO_START=1

USER puna
WORKDIR /home/puna
VOLUME /var/lib/puna
EXPOSE 11434
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["puna", "ps"]

ENTRYPOINT ["puna"]
CMD ["serve"]
