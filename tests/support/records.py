"""Lines of a detections log, made up."""

from __future__ import annotations

import json
from pathlib import Path

KYIV = "Europe/Kyiv"
NAME = "20260223-144819-door.mp4"


def line(**more: object) -> dict:
    return {
        "ok": True,
        "filename": NAME,
        "detected": ["person", "tv"],
        "count": 2,
        "timestamp": "2026-02-23T14:49:15.581433+02:00",
        "schema": 1,
        "camera": "door",
        "run_id": "01a",
        "job_id": "clip-20260223-144819-door",
        "objects": [
            {"label": "person", "tracks": 1, "hits": 41, "max_conf": 0.94, "first_s": 4.8, "last_s": 21.2},
            {"label": "tv", "tracks": 2, "hits": 7, "max_conf": 0.6, "first_s": 0.0, "last_s": 30.0},
            {"label": "cat", "tracks": 1, "hits": 1, "max_conf": 0.2, "first_s": 3.0, "last_s": 3.0},
        ],
        "clip": {
            "sha256": "ab" * 32,
            "started_at": "2026-02-23T12:48:19.250000+00:00",
            "duration_s": 30.0,
            "frames": 600,
            "width": 1920,
            "height": 1080,
        },
        "model": {"name": "yolov8n", "sha256": "cd" * 32, "engine": "openvino 2026.4.1", "conf": 0.5, "imgsz": 640}
        | {"fps": 5},
        "timing": {"queued_s": None, "decode_s": 0.7, "infer_s": 1.4, "total_s": 2.2},
        "options": {"model": "yolov8n.onnx", "conf": 0.5, "imgsz": 640, "fps": 5.0, "min_hits": 2},
        "versions": {"av": "18.1.0"},
        "sampled_frames": 150,
        **more,
    }


OLD = {key: line()[key] for key in ("ok", "filename", "detected", "count", "timestamp")}


def write(path: Path, *lines: object) -> Path:
    """Write lines: bytes as they are, everything else as JSON."""
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines]
    path.write_bytes(b"".join(texts))
    return path
