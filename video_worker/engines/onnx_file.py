"""Explains why an ONNX file cannot be read, from the file itself: engines print pages about it, or nothing.

Pure: bytes in, text out. Only the outermost fields of the protocol buffer are read, and the names of files with the
weights of large models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared_utils.errors import ModelError

MAX_FIELDS = 2_000_000
"""Most fields that are read: a large model has some ten thousand; a forged file, any number."""
KNOWN_IR = 14
"""Version of the format that the engines pinned here are known to read; see ONNX's own table of versions."""
KNOWN_OPSET = 27
"""Likewise of the set of operators."""
HEAD_BYTES = 200
PYTORCH = "it is a file of PyTorch: turn it into ONNX with: python -m video_worker export WEIGHTS.pt OUT.onnx"
FOREIGN = (
    (b"version https://git-lfs", "it is a pointer of git-lfs, not the model: fetch it with: git lfs pull"),
    (b"PK\x03\x04", PYTORCH),
    (b"\x80\x02", PYTORCH),
    (b"<?xml", "it is a model of OpenVINO's own format: give the ONNX file"),
    (b"<!DOCTYPE", "it is a web page: the download went wrong"),
    (b"<html", "it is a web page: the download went wrong"),
)
"""First bytes of files that are mistaken for models, and what the files are."""
ONNX_FIRST_BYTE = b"\x08"
"""An ONNX file begins with the number of its format: field 1 of a protocol buffer, a whole number."""

_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_INITIALIZER, _EXTERNAL = 5, 13


class _Broken(ValueError):
    """The bytes are no protocol buffer."""


@dataclass(frozen=True)
class _Facts:
    ir_version: int
    opset: int
    external: tuple[str, ...]


def foreign(head: bytes) -> str | None:
    """Return what a file is that begins with `head`; None for an ONNX model."""
    if head[:1] == ONNX_FIRST_BYTE:
        return None
    return next((words for begin, words in FOREIGN if head.lstrip()[: len(begin)].lower() == begin.lower()), "")


def unreadable(weights: Path, engine: str, error: Exception) -> ModelError:
    """Return the error for a model that `engine` could not open because of `error`: one line, with the reason."""
    reason = explain(weights)
    if reason is None:
        # the last line of the engines' messages is the reason, those before are places in their source
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else type(error).__name__
    return ModelError(f"{weights.name} is no ONNX model that {engine} can read: {reason}")


def explain(path: Path) -> str | None:
    """Return what is wrong with the ONNX file at `path`; None if no fault is found."""
    try:
        facts = _read(memoryview(path.read_bytes()))
    except (_Broken, UnicodeDecodeError):
        return "the file is cut short or damaged: copy or export it again"
    missing = [name for name in facts.external if not (path.parent / name).is_file()]
    if missing:
        return f"its weights lie in {missing[0]}, which is not beside it: copy that file too"
    if facts.ir_version > KNOWN_IR or facts.opset > KNOWN_OPSET:
        return f"it is of a newer format (IR {facts.ir_version}, opset {facts.opset}): export it again with opset=17"
    return None


def _read(data: memoryview) -> _Facts:
    ir_version = opset = 0
    external: dict[str, None] = {}
    for number, value in _fields(data):
        if number == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == _OPSET and isinstance(value, memoryview):
            opset = max(opset, _opset(value))
        elif number == _GRAPH and isinstance(value, memoryview):
            external |= dict.fromkeys(_external(value))
    return _Facts(ir_version, opset, tuple(external))


def _opset(data: memoryview) -> int:
    """Return the version of ONNX's own set of operators; 0 for the sets of others."""
    fields = dict(_fields(data))
    domain, version = fields.get(1, memoryview(b"")), fields.get(2, 0)
    known = isinstance(domain, memoryview) and bytes(domain) in {b"", b"ai.onnx"}
    return version if known and isinstance(version, int) else 0


def _external(graph: memoryview) -> Iterator[str]:
    """Yield the files in which a graph's weights lie."""
    for number, tensor in _fields(graph):
        if number != _INITIALIZER or not isinstance(tensor, memoryview):
            continue
        for place, entry in _fields(tensor):
            if place != _EXTERNAL or not isinstance(entry, memoryview):
                continue
            pair = dict(_fields(entry))
            key, value = pair.get(1), pair.get(2)
            if isinstance(key, memoryview) and isinstance(value, memoryview) and bytes(key) == b"location":
                yield bytes(value).decode()


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message."""
    at = 0
    for _ in range(MAX_FIELDS):
        if at == len(data):
            return
        tag, at = _varint(data, at)
        kind = tag & 7
        value: int | memoryview
        if kind == 0:
            value, at = _varint(data, at)
        else:
            length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), at)
            if length < 0 or at + length > len(data):
                raise _Broken
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Broken
