"""Tesseract reads lines and areas; whatever goes wrong with its program is one line."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytesseract
import pytest

from devtools.paths import ROOT
from shared_utils.errors import ReaderMissing, ReadingFailed
from shared_utils.media.picture import resized
from tests.support.footage.text import text_picture
from video_worker.readers import tesseract as module
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings
from video_worker.readers.tesseract import TesseractReader

pytestmark = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="needs Debian's tesseract-ocr, which .ci/run installs"
)


@pytest.fixture
def reader() -> TesseractReader:
    return TesseractReader()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program that stands where Tesseract does."""

    def make(script: str) -> None:
        path = tmp_path / "tesseract"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", str(path))

    return make


@pytest.mark.parametrize(("ink", "paper"), [(20, 230), (240, 40)])
@pytest.mark.parametrize("text", ["PUMP 2 READY", "12.34 bar", "4711"])
def test_a_line_is_read(reader, text, ink, paper):
    reading = reader.read(text_picture(text, 40, ink=ink, paper=paper))
    assert reading.text == text
    assert 0.5 < reading.confidence <= 1


def test_a_huge_line_is_read_in_no_more_time(reader):
    small = text_picture("PUMP 2 READY", 40)
    huge = resized(small, (small.shape[1] * 50, 2000))
    began = time.process_time()
    assert reader.read(huge).text == "PUMP 2 READY"
    assert time.process_time() - began < 1  # blurring it alone took 4 s


def test_an_area_is_read_by_lines(reader):
    assert (
        reader.read(text_picture(["Pressure 12", "Batch 77", "READY"]), "area").text == "Pressure 12\nBatch 77\nREADY"
    )


def test_a_picture_without_text_is_no_sure_reading(reader):
    blank = np.full((48, 200, 3), 200, np.uint8)
    for mode in ("line", "area"):
        assert reader.read(blank, mode).confidence < 0.5


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2, 4000)])
def test_zones_of_any_shape_are_taken(reader, size):
    picture = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    for mode in ("line", "area"):
        assert 0 <= reader.read(picture, mode).confidence <= 1


def test_threads_share_it(reader):
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(reader.read, [text_picture(f"VALVE {number}", 40) for number in range(8)])
        assert [one.text for one in found] == [f"VALVE {number}" for number in range(8)]


def test_without_its_program_the_line_says_how_to_add_it(monkeypatch):
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-tesseract-here")
    with pytest.raises(ReaderMissing, match=r"^the engine tesseract is not installed: give WITH_OCR=tesseract in .env"):
        ReaderRegistry(ReaderSettings()).get("tesseract")


def test_without_a_model_the_line_says_which(program):
    program("echo 'List of available languages (1):'; echo osd")
    with pytest.raises(ReaderMissing, match="has no model 'eng': apt-get install tesseract-ocr-eng"):
        TesseractReader()


def test_a_program_that_fails_is_a_reading_that_failed(reader, program):
    program("echo 'Error opening data file' >&2; exit 1")
    with pytest.raises(ReadingFailed, match=r"tesseract failed: .*Error opening data file"):
        reader.read(text_picture("7"))


def test_a_program_that_hangs_is_ended(reader, program, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    program("exec sleep 60")
    with pytest.raises(ReadingFailed, match=r"tesseract took longer than 0.2 s"):
        reader.read(text_picture("7"))


def test_ci_installs_it():
    assert "tesseract-ocr" in (ROOT / ".ci" / "run").read_text()
