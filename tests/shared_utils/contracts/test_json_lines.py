"""Logs of JSON lines, read from their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_utils.contracts.json_lines import BACKWARDS_BYTES, append_line, read_objects, read_objects_backwards


def test_a_log_backwards_is_the_log_reversed(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert list(read_objects_backwards(path, 1000)) == []
    path.touch()
    assert list(read_objects_backwards(path, 1000)) == []
    # lines shorter and longer than a block
    entries = [{"n": number, "x": "ä" * (number * 997 % 50_000)} for number in range(60)]
    for entry in entries:
        append_line(path, entry)
    assert list(read_objects_backwards(path, path.stat().st_size)) == entries[::-1]
    with path.open("a") as file:
        file.write('\n\n[1]\nnull\n{"torn": ')
    assert list(read_objects_backwards(path, 2 * path.stat().st_size)) == list(read_objects(path))[::-1]


@pytest.mark.parametrize("blocks", [0.5, 1, 1.5, 3])
def test_only_the_end_is_read(tmp_path: Path, blocks: float) -> None:
    path = tmp_path / "log.jsonl"
    for number in range(100):
        append_line(path, {"n": number, "x": "y" * 9000})
    found = list(read_objects_backwards(path, round(blocks * BACKWARDS_BYTES)))
    length = path.stat().st_size / 100
    assert [entry["n"] for entry in found] == list(range(99, 99 - int(blocks * BACKWARDS_BYTES / length), -1))
