"""``python -m video_worker read`` prints one line per picture, and one for what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from devtools.paths import ROOT
from shared_utils.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from shared_utils.media.picture_files import write_picture
from tests.support.footage.text import text_picture
from video_worker.__main__ import main

WHOLE = ("0,0", "1,0", "1,1", "0,1")


@pytest.fixture
def display(tmp_path: Path) -> Path:
    path = tmp_path / "display.png"
    write_picture(path, text_picture("12.5 bar"))
    return path


@pytest.fixture
def read(capsys):
    """Runs the command; gives its exit code, lines and complaints."""

    def run(*arguments: object, **environment: str) -> tuple[int, list[dict], str]:
        code = main(["read", *map(str, arguments)], environment)
        printed = capsys.readouterr()
        return code, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


def test_a_picture_is_a_line(read, display):
    code, (line,), complaints = read(display)
    assert (code, complaints) == (EXIT_OK, "")
    assert line.pop("seconds") >= 0
    assert 0.5 < line.pop("confidence") <= 1
    expected = {"engine": "rapidocr", "mode": "line", "value": "12.5 bar", "state": "ok", "text": "12.5 bar"}
    assert line == {"picture": str(display), **expected}


def test_a_pattern_that_does_not_match_is_unreadable_with_the_raw_text(read, display):
    code, (line,), _ = read(display, "--pattern", r"\d{4}")
    assert code == EXIT_OK
    assert (line["value"], line["state"], line["reason"], line["text"]) == (None, "unreadable", "pattern", "12.5 bar")


def test_a_pattern_may_name_the_value(read, display):
    assert read(display, "--pattern", r"(?P<value>\d+\.\d) bar")[1][0]["value"] == "12.5"


def test_corners_cut_the_display_out_and_straighten_it(read, tmp_path):
    text = text_picture("PUMP 2", 60)
    height, width = text.shape[:2]
    corners = np.array([(120, 80), (430, 130), (420, 240), (110, 170)], np.float32)
    own = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    picture = cv2.warpPerspective(text, cv2.getPerspectiveTransform(own, corners), (640, 360), borderValue=(90, 60, 30))
    path = tmp_path / "wall.jpg"
    write_picture(path, np.asarray(picture, np.uint8))
    given = [f"{x / 640:.4f},{y / 360:.4f}" for x, y in corners]
    assert read(path, "--corners", *given)[1][0]["text"] == "PUMP 2"


def test_an_area_has_several_lines(read, tmp_path):
    path = tmp_path / "panel.png"
    write_picture(path, text_picture(["Level 3", "READY"]))
    assert read(path, "--mode", "area")[1][0]["value"] == "Level 3\nREADY"


def test_a_picture_that_cannot_be_read_is_named_and_the_others_go_on(read, display, tmp_path):
    broken, empty, missing = (tmp_path / name for name in ("broken.png", "empty.png", "missing.png"))
    broken.write_bytes(b"no picture")
    empty.touch()
    code, lines, complaints = read(broken, empty, missing, tmp_path, display)
    assert code == EXIT_FAILED
    assert [line.get("error") is None for line in lines] == [False, False, False, False, True]
    assert lines[-1]["value"] == "12.5 bar"
    assert complaints.splitlines() == [f"video_worker: {line['picture']}: {line['error']}" for line in lines[:-1]]
    assert lines[2]["error"] == "No such file or directory"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--corners", "0,0", "1,0", "1,1", "0;1"), "--corners holds '0;1': give x,y in 0..1"),
        (("--corners", "0,0", "1,0", "1,1", "0,400"), "--corners holds '0,400': give x,y in 0..1"),
        (("--corners", "0,0", "1,0", "1,1", "0,nan"), "--corners holds '0,nan': give x,y in 0..1"),
        (("--corners", "0,0", "1,0", "1,1", "0,1,2"), "--corners holds '0,1,2': give x,y in 0..1"),
        (("--corners", "0,0", "0,1", "1,1", "1,0"), "convex shape, clockwise from the upper left one"),
        (("--corners", "0,0", "0,0", "0,0", "0,0"), "convex shape, clockwise from the upper left one"),
        (("--pattern", "(12"), "--pattern: '(12' is no regular expression: missing )"),
        (("--pattern", "1" * 1001), "--pattern has 1001 characters: at most 1000 are taken"),
        (("--engine", "rapidorc"), "--engine: there is no engine 'rapidorc'; rapidocr? Use one of rapidocr,"),
        (("--engine", "http"), "--engine: the engine http is not set up: give OCR_HTTP_URL and OCR_HTTP_MODEL"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(read, display, arguments, complaint):
    code, lines, complaints = read(display, *arguments)
    assert (code, lines) == (EXIT_USAGE, [])
    assert complaints.startswith("video_worker: --")
    assert complaint in complaints
    assert complaints.count("\n") == 1


def test_a_wrong_setting_is_one_line(read, display):
    code, _, complaints = read(display, OCR_HTTP_URL="here")
    assert code == EXIT_USAGE
    assert complaints.startswith("video_worker: OCR_HTTP_URL is 'here': give the URL under which")


def test_it_needs_neither_model_nor_queue(display, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "video_worker", "read", display.name, "--corners", *WHOLE, "--pattern", ".*"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    assert json.loads(done.stdout)["value"] == "12.5 bar"
