"""Files of any name, from their job's id to their sidecars."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rq import Queue

from devtools.redis_server import RedisServer
from shared_utils.contracts.boxes import boxes_path
from shared_utils.contracts.clips import name_fault, sidecar_stem
from shared_utils.errors import ClipMissing, JobRefused
from shared_utils.queue.jobs import clip_queue, enqueue_new_clip, states, submit, submit_many
from shared_utils.queue.names import clip_job_id, is_job_id

GOOD = [
    "20260223-144819-cam1.mp4",
    "IMG 0001.mp4",
    "a.b.mp4",
    "IMG_0002(1).mp4",
    "Гараж.mp4",
    "x\u202fy.mp4",
    "x\u3000y.mp4",
    "-dash.mp4",
    "50%.mp4",
    "%d.mp4",
    "a#b?c.mp4",
    "*.mp4",
    "Cat [x].mp4",
    "q'\".mp4",
    "👨\u200d👩\u200d👧.mp4",
    "e\u0301.mp4",
    "é.mp4",
    "12:30:00.mp4",
    "CON.mp4",
    "<b>&amp;.mp4",
    "a.MP4",
    "A.mp4",
    "a.mp4",
    "a.mkv",
    " .mp4",
    "я" * 125 + ".mp4",
    "z" * 251 + ".mp4",
    *(letter * (length // len(letter.encode())) + ".mp4" for letter in "yю" for length in (160, 182, 212, 214)),
    "clip-a.mp4",
    "{x}.mp4",
    "$(id).mp4",
    "trailing .mp4",
    "no-suffix",
]
BAD = {
    "a\nb.mp4": "control character",
    "a\tb.mp4": "control character",
    "a\x1bb.mp4": "control character",
    "a\u2028b.mp4": "control character",
    "a\x85b.mp4": "control character",
    "a\\b.mp4": "backslash",
    ".hidden.mp4": "begins with a dot",
    "..": "begins with a dot",
    "/etc/passwd": "bare name",
    "z" * 252 + ".mp4": "255 bytes",
    os.fsdecode(b"bad\xff.mp4"): "not UTF-8",
}


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())


def test_every_good_name_has_an_id_of_its_own_that_rq_takes() -> None:
    ids = [clip_job_id(name) for name in GOOD]
    assert all(map(is_job_id, ids))
    assert len(set(ids)) == len(GOOD)
    assert ids == [clip_job_id(name) for name in GOOD]
    assert ids[0] == "clip-20260223-144819-cam1"
    assert clip_job_id("Cat [x].mp4").startswith("clip-Cat-x-")


def test_good_names_are_queued_once_and_reported_as_they_are(queue: Queue) -> None:
    assert all(enqueue_new_clip(queue, name) for name in GOOD)
    assert not any(enqueue_new_clip(queue, name) for name in GOOD)
    jobs = submit_many(GOOD, queue=queue)
    assert [state.filename for state in states([job.id for job in jobs], queue=queue)] == GOOD


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused_in_one_line_that_says_why(queue: Queue, name: str) -> None:
    with pytest.raises(JobRefused, match=BAD[name]) as refused:
        submit(name, queue=queue)
    line = str(refused.value)
    assert len(line.splitlines()) == 1
    line.encode()
    assert not queue.connection.exists("rq:queue:video_queue")


def test_a_name_that_is_there_is_no_pattern(queue: Queue, tmp_path: Path) -> None:
    for name in ("Cat [x].mp4", "Cat x.mp4", "*.mp4", "e\u0301t\u00e9.mp4", ".hidden.mp4"):
        (tmp_path / name).touch()

    def chosen(pattern: str) -> list[str]:
        return [job.kwargs["filename"] for job in submit_many(pattern, queue=queue, video_dir=tmp_path)]

    assert chosen("Cat [x].mp4") == ["Cat [x].mp4"]
    assert chosen("Cat ?.mp4") == ["Cat x.mp4"]
    assert chosen("*.mp4") == ["*.mp4"]
    assert chosen("\u00e9*.mp4") == ["e\u0301t\u00e9.mp4"]
    with pytest.raises(ClipMissing):
        chosen("dog*.mp4")


@pytest.mark.parametrize("name", GOOD)
def test_sidecars_of_every_good_name_fit_a_file_system(tmp_path: Path, name: str) -> None:
    boxes = boxes_path(tmp_path, name, "0195c6a2-7c1e-7000-8000-000000000000")
    boxes.parent.mkdir()
    boxes.touch()
    # files of earlier versions have their clip's whole stem, which may have had 182 bytes
    assert sidecar_stem(name) == Path(name).stem or len(os.fsencode(Path(name).stem)) > 212


def test_names_that_begin_alike_keep_sidecars_apart() -> None:
    one, other = ("я" * 124 + end + ".mp4" for end in "аб")
    assert sidecar_stem(one) != sidecar_stem(other)
    sidecar_stem(one).encode()


def test_good_and_bad_are_distinguished() -> None:
    assert not [name for name in GOOD if name_fault(name)]
    assert all(name_fault(name) for name in BAD)
