# The studio and fine-tuning on a host with an NVIDIA GPU; docs/gpu_host.md says how it is run, and what was tried.
FROM python:3.12-slim-bookworm

# ffmpeg joins what yt-dlp fetches; all else decodes with PyAV's own libraries.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

# First and alone, for it is gigabytes: PyPI's build may want a newer driver than the host has. The libraries of CUDA
# come with it; the driver comes from the host, by the NVIDIA Container Toolkit.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu126
RUN pip install --index-url "${TORCH_INDEX}" "torch>=2.4"

# What is installed already is kept: torch is not fetched a second time.
WORKDIR /opt/mm2energon
COPY setup.py pyproject.toml README.md LICENSE ./
COPY toolkits toolkits
RUN pip install ".[studio,train,urls]" "bitsandbytes>=0.45"

# Writes below /app alone, as the user that docker-compose.yml names.
RUN useradd --uid 1000 --user-group --home-dir /app --no-create-home --shell /usr/sbin/nologin app \
    && mkdir -p /app/data /app/videos /app/models /app/lora_adapters /app/cache \
    && printf '%s\n' 'import sys' 'from mm2energon.cli import main' 'if __name__ == "__main__":' '    sys.exit(main(["finetune", *sys.argv[1:]]))' > /app/finetune.py \
    && ln -s models/VideoChat-R1_5-7B /app/VideoChat-R1_5-7B \
    && chown -R app:app /app

# HOME and USER also where the user that runs it has no line in /etc/passwd.
ENV HOME=/app/cache \
    USER=app \
    HF_HOME=/app/cache/huggingface \
    XDG_CACHE_HOME=/app/cache

USER app
WORKDIR /app
EXPOSE 8000

# Any answer will do, also that a token is wanted.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/'); raise SystemExit(c.getresponse().status >= 500)"]

ENTRYPOINT ["mm2energon"]
CMD ["--help"]
