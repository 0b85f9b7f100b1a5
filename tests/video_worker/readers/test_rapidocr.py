"""rapidocr reads lines and areas, from the models of its wheel alone."""

from __future__ import annotations

import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from shared_utils.errors import ReaderMissing
from shared_utils.media.picture import resized
from tests.support.footage.text import text_picture
from video_worker.readers import rapidocr as module
from video_worker.readers.rapidocr import RapidOcrReader, in_latin
from video_worker.readers.rows import rows_of

LINES = ("12.34 bar", "PUMP 2 RUNNING", "-0.5", "1234567", "08:15:42")


@pytest.fixture(scope="module")
def reader() -> RapidOcrReader:
    return RapidOcrReader()


@pytest.mark.parametrize("text", LINES)
@pytest.mark.parametrize(("ink", "paper"), [(20, 230), (240, 40)])
def test_a_line_is_read(reader, text, ink, paper):
    reading = reader.read(text_picture(text, ink=ink, paper=paper))
    assert reading.text == text
    assert 0.5 < reading.confidence <= 1


@pytest.mark.parametrize("height_px", [16, 90])
def test_small_and_large_lines_are_read(reader, height_px):
    assert reader.read(text_picture("4711.5", height_px)).text == "4711.5"


@pytest.mark.parametrize("height_px", [400, 2000])
def test_huge_lines_are_read_in_no_more_time(reader, height_px):
    small = text_picture("12.5 bar", 60)
    huge = resized(small, (small.shape[1] * height_px // 60, height_px))
    began = time.process_time()
    reading = reader.read(huge)
    assert reading.text == "12.5 bar"
    assert reading.confidence > 0.5
    assert time.process_time() - began < 1  # it was 4 s


def test_forms_of_chinese_type_become_latin_ones():
    assert in_latin("２３．５℃ （２１．０°℃）") == "23.5°C (21.0°C)"


def test_a_picture_without_text_is_an_empty_reading(reader):
    blank = np.full((48, 200, 3), 200, np.uint8)
    for mode in ("line", "area"):
        assert (reader.read(blank, mode).text, reader.read(blank, mode).confidence) == ("", 0.0)


def test_an_area_is_read_by_rows(reader):
    picture = text_picture(["Pressure 12.4", "Batch 77", "READY"])
    reading = reader.read(picture, "area")
    assert reading.text == "Pressure 12.4\nBatch 77\nREADY"
    assert reading.confidence > 0.5


def test_what_stands_side_by_side_is_one_row(reader):
    left, right = text_picture(["Level", "Flow"]), text_picture(["31", "8.5"])
    gap = np.full((left.shape[0], 200, 3), 230, np.uint8)
    assert reader.read(np.hstack([left, gap, right]), "area").text == "Level 31\nFlow 8.5"


def test_rows_that_lie_askew_keep_their_order():
    def box(left: float, top: float) -> list[list[float]]:
        return [[left, top], [left + 50, top + 2], [left + 50, top + 22], [left, top + 20]]

    assert rows_of([box(100, 5), box(0, 0), box(0, 40), box(100, 44), box(200, 49)]) == [[1, 0], [2, 3, 4]]


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2, 4000), (3000, 40)])
def test_zones_of_any_shape_are_taken(reader, size):
    picture = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    for mode in ("line", "area"):
        reading = reader.read(picture, mode)
        assert 0 <= reading.confidence <= 1


def test_a_large_area_is_read(reader):
    picture = np.full((2160, 3840, 3), 230, np.uint8)
    line = text_picture("Line 4 READY", 120)
    picture[900 : 900 + line.shape[0], 1200 : 1200 + line.shape[1]] = line
    assert reader.read(picture, "area").text == "Line 4 READY"


def test_threads_share_it(reader):
    pictures = [text_picture(text) for text in LINES] * 4
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(reader.read, pictures))
        areas = list(pool.map(lambda picture: reader.read(picture, "area"), pictures))
    assert [one.text for one in read] == [one.text for one in areas] == list(LINES) * 4


def test_a_reading_does_not_depend_on_those_before(reader):
    picture = text_picture("77.31 %")
    first = reader.read(picture)
    for before, after in pairwise(LINES):
        reader.read(text_picture(before))
        reader.read(text_picture(after), "area")
        assert reader.read(picture) == first


def test_nothing_is_downloaded_and_nothing_written(monkeypatch, capfd):
    def refuse(*arguments, **options):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = {path: path.stat().st_mtime_ns for path in module.MODELS.iterdir()}
    assert RapidOcrReader().read(text_picture("READY 1"), "area").text == "READY 1"
    assert {path: path.stat().st_mtime_ns for path in module.MODELS.iterdir()} == before
    assert capfd.readouterr() == ("", "")


def test_models_that_are_not_there_are_named_and_not_downloaded(monkeypatch, tmp_path: Path):
    shutil.copy(module.DETECTION, tmp_path)
    monkeypatch.setattr(module, "RECOGNITION", tmp_path / module.RECOGNITION.name)
    with pytest.raises(ReaderMissing, match=f"lacks its models {module.RECOGNITION.name}"):
        RapidOcrReader()
    assert [path.name for path in tmp_path.iterdir()] == [module.DETECTION.name]
