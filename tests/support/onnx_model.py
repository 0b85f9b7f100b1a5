"""Small ONNX models written field by field: the library that writes them is no dependency of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

FLOAT, FLOAT16, UINT8 = 1, 10, 2


def _varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_message(1, _number(1, size) if isinstance(size, int) else _message(2, size)) for size in shape)
    tensor = _number(1, kind) + _message(2, sizes)
    return _message(1, name) + _message(2, _message(1, tensor))


def _tensor(name: str, array: np.ndarray, external: str | None) -> bytes:
    sizes = b"".join(_number(1, size) for size in array.shape)
    kind = _number(2, {"float32": FLOAT, "float16": FLOAT16, "int64": 7}[str(array.dtype)])
    if external is None:
        return sizes + kind + _message(8, name) + _message(9, array.tobytes())
    entry = _message(1, "location") + _message(2, external)
    return sizes + kind + _message(8, name) + _message(13, entry) + _number(14, 1)


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: int) -> bytes:
    content = b"".join(_message(1, name) for name in inputs) + _message(2, output) + _message(4, kind)
    for name, value in attributes.items():
        content += _message(5, _message(1, name) + _number(3, value) + _number(20, 2))
    return content


def onnx_model(
    output: np.ndarray,
    *,
    side: tuple[int | str, int | str] = ("height", "width"),
    batch: int | str = 1,
    metadata: Mapping[str, str] | None = None,
    kind: int = FLOAT,
    ir_version: int = 8,
    opset: int = 17,
    external: str | None = None,
) -> bytes:
    """Return a model whose output is `output` whatever it sees: plus nought times the mean of the picture.

    Args:
        output: 1×rows×columns.
        side: height and width of the input; a name for an open one.
        kind: numbers of the input.
        external: the file that the model names for its weights.
    """
    number = np.float16 if kind == FLOAT16 else np.float32
    nodes = [
        _node("Cast", ["images"], "pictures", to=FLOAT16 if kind == FLOAT16 else FLOAT),
        _node("ReduceMean", ["pictures"], "mean", keepdims=0),
        _node("Mul", ["mean", "nought"], "nothing"),
        _node("Add", ["found", "nothing"], "output0"),
    ]
    graph = b"".join(_message(1, node) for node in nodes) + _message(2, "g")
    graph += _message(5, _tensor("found", output.astype(number), external))
    graph += _message(5, _tensor("nought", np.zeros((), number), None))
    graph += _message(11, _value("images", kind, [batch, 3, *side]))
    graph += _message(12, _value("output0", kind if kind == FLOAT16 else FLOAT, output.shape))
    return _model(graph, ir_version, opset, metadata or {})


def sum_and_difference_model(shape: Sequence[int | str]) -> bytes:
    """Return a model of two inputs, `left` and `right`, and two outputs, their `sum` and `difference`."""
    nodes = [_node("Add", ["left", "right"], "sum"), _node("Sub", ["left", "right"], "difference")]
    graph = b"".join(_message(1, node) for node in nodes) + _message(2, "g")
    graph += b"".join(_message(11, _value(name, FLOAT, shape)) for name in ("left", "right"))
    graph += b"".join(_message(12, _value(name, FLOAT, shape)) for name in ("sum", "difference"))
    return _model(graph, 8, 17, {})


def _model(graph: bytes, ir_version: int, opset: int, metadata: Mapping[str, str]) -> bytes:
    model = _number(1, ir_version) + _message(8, _number(2, opset)) + _message(7, graph)
    for key, value in metadata.items():
        model += _message(14, _message(1, key) + _message(2, value))
    return model
