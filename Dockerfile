# cisgram on CPUs: docker build -t cisgram . && docker run --rm -v "$PWD:/data" cisgram demo --out demo
# On GPUs: docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 -t cisgram .
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir torch --index-url "$TORCH_INDEX"

WORKDIR /opt/cisgram
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip install --no-cache-dir '.[bgen,convert,lm,motifs,pgen]'

# Compiled functions are kept where any user may write, as files in /data belong to who runs it.
ENV NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /data
ENTRYPOINT ["cisgram"]
CMD ["--help"]
