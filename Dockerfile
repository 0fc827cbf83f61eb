# A generator behind HTTP on port 8080, by SageMaker's contract (docs/serving.md):
#   docker build -t gansmith .
#   docker run -p 127.0.0.1:8080:8080 -v "$PWD/digits":/opt/ml/model:ro gansmith
FROM python:3.12-slim

COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY src /src/src
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    "torch==2.13.0+cpu" "/src[serve]"

RUN useradd --create-home gansmith
USER gansmith
# Who reaches the container's port is decided outside of it.
ENV GANSMITH_MODEL=/opt/ml/model GANSMITH_HOST=0.0.0.0 GANSMITH_NO_TOKEN=1
EXPOSE 8080
ENTRYPOINT ["gansmith"]
CMD ["serve"]
