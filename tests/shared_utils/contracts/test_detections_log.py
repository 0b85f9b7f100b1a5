"""The log under many writers, crashes and full disks."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
from pathlib import Path

import pytest

from shared_utils.contracts.detections_log import append_once, append_record, find_run, read_records
from shared_utils.contracts.run_index import RunIndex

WRITERS = 8
LINES_EACH = 1250


def record(run_id: str = "r", **more) -> dict:
    return {"ok": True, "filename": "a.mp4", "run_id": run_id, **more}


def test_what_was_appended_is_read_back_in_order(tmp_path):
    path = tmp_path / "log.jsonl"
    assert list(read_records(path)) == []
    for number in range(3):
        append_record(path, record(str(number)))
    assert [entry["run_id"] for entry in read_records(path)] == ["0", "1", "2"]
    assert path.read_bytes().count(b"\n") == 3


def write_many(path: Path, writer: int) -> None:
    for number in range(LINES_EACH):
        append_record(path, record(f"{writer}-{number}", padding="x" * (number % 500)))


def test_8_processes_append_10_000_lines_and_none_is_torn_lost_or_duplicated(tmp_path):
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, number)) for number in range(WRITERS)]
    for process in writers:
        process.start()
    snapshots = []
    while any(process.is_alive() for process in writers):
        snapshots.append([entry["run_id"] for entry in read_records(path)])
    for process in writers:
        process.join()
        assert process.exitcode == 0
    found = [entry["run_id"] for entry in read_records(path)]
    assert len(found) == WRITERS * LINES_EACH
    assert set(found) == {f"{writer}-{number}" for writer in range(WRITERS) for number in range(LINES_EACH)}
    # what a reader saw meanwhile was all of the lines up to there, none of them half
    assert all(found[: len(seen)] == seen for seen in snapshots)
    for writer in range(WRITERS):
        own = [run_id for run_id in found if run_id.startswith(f"{writer}-")]
        assert own == [f"{writer}-{number}" for number in range(LINES_EACH)]


def test_a_line_that_a_crash_left_unfinished_spoils_nothing_but_itself(tmp_path):
    path = tmp_path / "log.jsonl"
    append_record(path, record("1"))
    with path.open("ab") as file:
        file.write(b'{"ok": true, "filena')
    append_record(path, record("2"))
    assert [entry["run_id"] for entry in read_records(path)] == ["1", "2"]
    assert path.read_bytes().endswith(b"\n")


def test_a_write_that_the_disk_cuts_short_is_taken_back(tmp_path):
    path = tmp_path / "log.jsonl"
    append_record(path, record("1"))
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))  # as a disk with 20 bytes left
        with pytest.raises(OSError, match="taken back"):
            append_record(path, record("2"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.stat().st_size == size
    append_record(path, record("3"))
    assert [entry["run_id"] for entry in read_records(path)] == ["1", "3"]


def test_lines_that_are_not_records_are_skipped(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'\n[1]\n"x"\nnull\n{"other": 1}\n\xff\xfe\n{"filename": "a.mp4", "ok": false}\n')
    assert list(read_records(path)) == [{"filename": "a.mp4", "ok": False}]


def test_a_run_is_logged_once(tmp_path):
    path = tmp_path / "log.jsonl"
    assert append_once(path, record("1"))
    assert append_once(path, record("2"))
    assert not append_once(path, record("1", other=5))
    assert [entry["run_id"] for entry in read_records(path)] == ["1", "2"]


def test_a_failed_run_may_still_succeed(tmp_path):
    path = tmp_path / "log.jsonl"
    assert append_once(path, record("1", ok=False))
    assert not append_once(path, record("1", ok=False))  # its worker died before it could tell the queue
    assert find_run(path, "1") is None
    assert append_once(path, record("1"))
    assert find_run(path, "1")["ok"] is True
    assert not append_once(path, record("1", ok=False))


def test_a_run_is_found_by_its_id_alone(tmp_path):
    path = tmp_path / "log.jsonl"
    assert find_run(path, "1") is None
    path.touch()
    assert find_run(path, "1") is None
    append_record(path, record("2", job_id="1", camera="1"))
    with path.open("ab") as file:
        file.write(b'{"ok": true, "run_id": "1", torn\n{"run_id": "1"}\n')
    assert find_run(path, "1") is None
    append_record(path, record("1", note="first"))
    append_record(path, record("3", parent="1"))
    assert dict(find_run(path, "1") or {})["note"] == "first"


def append_same(path: Path) -> None:
    for number in range(50):
        append_once(path, record(str(number)))


def test_processes_that_do_the_same_run_leave_one_line(tmp_path):
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_same, args=(path,)) for _ in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert sorted(int(entry["run_id"]) for entry in read_records(path)) == list(range(50))


class TestRunIndex:
    """An index of the log's runs is right whatever happens to the log."""

    @staticmethod
    def line(number: int, *, ok: bool = True) -> dict:
        return {"ok": ok, "filename": "a.mp4", "run_id": f"0195c6a2-7c1e-7000-8000-{number:012d}", "x": "y" * number}

    def append(self, path: Path, *numbers: int) -> None:
        for number in numbers:
            append_record(path, self.line(number))

    def known(self, path: Path, index: RunIndex, numbers: range = range(100)) -> set[int]:
        return {number for number in numbers if find_run(path, self.line(number)["run_id"], index)}

    def test_it_knows_what_was_there_and_what_came(self, tmp_path: Path) -> None:
        path, index = tmp_path / "log.jsonl", RunIndex()
        assert self.known(path, index) == set()
        self.append(path, 1, 2)
        assert self.known(path, index) == {1, 2}
        self.append(path, 3)
        assert not append_once(path, self.line(3), index)
        assert append_once(path, self.line(4), index)
        assert not append_once(path, self.line(4), index)
        assert self.known(path, index) == {1, 2, 3, 4}

    def test_a_log_that_was_cut_replaced_or_edited_is_read_again(self, tmp_path: Path) -> None:
        path, index = tmp_path / "log.jsonl", RunIndex()
        self.append(path, *range(1, 20))
        assert self.known(path, index) == set(range(1, 20))
        lines = path.read_bytes().splitlines(keepends=True)
        with path.open("r+b") as file:
            file.truncate(len(b"".join(lines[:5])))
        assert self.known(path, index) == set(range(1, 6))
        path.with_name("other").write_bytes(b"".join(lines[9:]))
        path.with_name("other").replace(path)
        assert self.known(path, index) == set(range(10, 20))
        # in place, and longer than before
        with path.open("r+b") as file:
            file.write(b"".join(reversed(lines)) * 2)
        assert self.known(path, index) == set(range(1, 20))
        path.unlink()
        assert self.known(path, index) == set()
        self.append(path, 30)
        assert self.known(path, index) == {30}

    def test_a_torn_line_counts_when_it_is_whole(self, tmp_path: Path) -> None:
        path, index = tmp_path / "log.jsonl", RunIndex()
        self.append(path, 1)
        whole = json.dumps(self.line(50)).encode() + b"\n"
        for cut in range(1, len(whole), 7):
            path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + whole[:cut])
            assert self.known(path, index, range(3)) == {1}
            with path.open("ab") as file:
                file.write(whole[cut:])
            assert self.known(path, index, range(49, 52)) == {50}

    def test_ids_of_other_kinds_and_failures_are_found_as_before(self, tmp_path: Path) -> None:
        path, index = tmp_path / "log.jsonl", RunIndex()
        odd = 'a "run"\\'
        append_record(path, {"ok": True, "filename": "a", "run_id": odd})
        assert find_run(path, odd, index)
        assert append_once(path, self.line(1, ok=False), index)
        assert find_run(path, self.line(1)["run_id"], index) is None
        assert not append_once(path, self.line(1, ok=False), index)
        assert append_once(path, self.line(1), index)

    def test_many_new_ids_are_kept_as_the_old_ones_are(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shared_utils.contracts.run_index.MERGE_FROM", 7)
        path, index = tmp_path / "log.jsonl", RunIndex()
        for number in range(1, 60, 3):
            self.append(path, number, number + 1, number + 2)
            assert self.known(path, index, range(64)) == set(range(1, number + 3))
