# data-pipeline-base: Python with the libraries that every part of the pipeline needs, and YOLOv8n as ONNX.
# The other three images begin here, each with its own code on top: no code is in this image, so a change of
# code never rebuilds it. torch and ultralytics live in the export stage alone and are in no image.
#
#   docker compose build base

# 1: YOLOv8n is exported and built in. 0: it is not; the demo (scene.onnx) and models of one's own do without.
ARG WITH_YOLOV8N=1

FROM python:3.11-slim-bookworm AS python
# every pip install here, and in the images made from this one, takes the versions that scripts/pins has found
COPY constraints.txt /etc/vcam/constraints.txt
ENV PIP_CONSTRAINT=/etc/vcam/constraints.txt \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# --- what makes ONNX of PyTorch weights
FROM python AS exporter
# torch comes from here as its CPU build; the ordinary one brings 3 GB of CUDA along
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY requirements.export.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip pip install -r /tmp/requirements.export.txt
WORKDIR /src
# of our code only what the export needs, so that no other change makes the model anew
COPY shared_utils/__init__.py shared_utils/errors.py shared_utils/former_names.py shared_utils/
COPY video_worker/__init__.py video_worker/export.py video_worker/
ENV YOLO_AUTOINSTALL=false

# --- the model: models/yolov8n.pt, or where that file is absent the one that ultralytics downloads
FROM exporter AS models-1
RUN --mount=type=bind,source=models,target=/given \
    mkdir /models \
 && if [ -f /given/yolov8n.pt ]; then cp /given/yolov8n.pt .; \
    else python -c "from ultralytics.utils.downloads import attempt_download_asset as get; get('yolov8n.pt')"; fi \
 && python -c "from pathlib import Path; from video_worker.export import export_model; \
export_model(Path('yolov8n.pt'), Path('/models/yolov8n.onnx'))" \
 || { echo >&2; \
      echo >&2 "yolov8n could not be exported (see above). If the download failed, do one of these and build again:"; \
      echo >&2 " - put yolov8n.pt into models/ (the file that ultralytics publishes)"; \
      echo >&2 " - or set WITH_YOLOV8N=0 in .env and build without it: the demo does not need it, and models of"; \
      echo >&2 "   your own (*.onnx in models/, named by YOLO_MODEL) do not either"; \
      exit 1; }

# --- the same as a command, for weights of one's own: docker compose run --rm export best.pt
FROM exporter AS export
COPY shared_utils/cli.py shared_utils/redact.py shared_utils/
COPY video_worker/__main__.py video_worker/
ENV PYTHONPATH=/src HOME=/tmp
USER 1000:1000

FROM python AS models-0
WORKDIR /models

FROM models-${WITH_YOLOV8N} AS models

# --- the image
FROM python AS base
COPY requirements.base.txt /tmp/
# numpy brings 20 MB of its own tests along
RUN --mount=type=cache,target=/root/.cache/pip pip install -r /tmp/requirements.base.txt \
 && find /usr/local/lib/python3.11/site-packages/numpy -type d -name tests -prune -exec rm -rf {} +
COPY --from=models /models /opt/vcam/models
# HOME is for caches: libraries want to write some, and any user id may run the container
ENV PYTHONPATH=/opt/vcam HOME=/tmp
WORKDIR /opt/vcam
USER 1000:1000
