"""``python -m video_worker export``: converts ultralytics weights into the ONNX file that the worker runs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from shared_utils.errors import EXIT_OK, ModelError, SettingError


def export(weights: Path, out: Path) -> int:
    """Export `weights` to `out`, print a line about it, and return the exit code."""
    export_model(weights, out)
    print(f"{out}: exported from {weights}")  # noqa: T201  # a program's output
    return EXIT_OK


def export_model(weights: Path, out: Path) -> None:
    """Write the detection model of `weights` to `out`, as ONNX with an open input size.

    Raises:
        SettingError: ultralytics is not installed, or an argument is wrong.
        ModelError: the weights cannot be exported.
    """
    if out.suffix != ".onnx":
        raise SettingError(f"OUT is {str(out)!r}: give a name that ends in .onnx")
    if not weights.is_file():
        raise SettingError(f"WEIGHTS is {str(weights)!r}: there is no such file")
    if not out.parent.is_dir():
        raise SettingError(f"OUT is {str(out)!r}: there is no folder {out.parent}")
    try:
        from ultralytics import YOLO
    except ImportError:
        raise SettingError(
            "export needs ultralytics, which is not installed: pip install -r requirements.export.txt"
        ) from None
    # ultralytics writes beside the weights, whose folder may be read-only
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(weights, folder))
        try:
            model = YOLO(copy, task="detect")
            written = Path(model.export(format="onnx", dynamic=True, simplify=True))
        except Exception as error:  # noqa: BLE001  # torch raises many kinds of errors for a file that is no model
            reason = str(error).strip().splitlines()
            raise ModelError(
                f"{weights} cannot be exported: {reason[0][:200] if reason else type(error).__name__}"
            ) from None
        partial = out.with_name(f".{out.name}.partial")
        shutil.copy(written, partial)
        partial.replace(out)
