"""The committed network reads displays that its training never saw, and says of the rest that it is not sure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product

import numpy as np
import pytest

from shared_utils.errors import ModelError
from shared_utils.media.picture import Picture
from video_worker.engines.base import EngineChoice
from video_worker.engines.onnxruntime import OnnxRuntimeEngine
from video_worker.readers.base import RawReading
from video_worker.readers.seven_segment.alphabet import SYMBOLS
from video_worker.readers.seven_segment.decoding import best_symbols, likelihoods, probability, text_of
from video_worker.readers.seven_segment.looks import HEIGHT, STRIDE, WIDEST, row, whole, width_for
from video_worker.readers.seven_segment.reader import MODEL, Look, SevenSegmentReader, judged
from video_worker.readers.seven_segment_model import unseen
from video_worker.readers.seven_segment_model.measure import MIN_CONFIDENCE, displays, measure
from video_worker.readers.seven_segment_model.views import view

MAX_BYTES = 2 * 1024**2
COUNT = 100
SEED = 4242
"""Other displays than those of training, of decisions, and of the figures in the model's README."""


@pytest.fixture(scope="module")
def reader() -> SevenSegmentReader:
    return SevenSegmentReader()


@pytest.fixture(scope="module")
def dseg() -> None:
    if not unseen.FONTS.is_dir():
        message = "needs Debian's package fonts-dseg"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)


def test_the_file_is_small_and_of_this_alphabet() -> None:
    assert MODEL.stat().st_size <= MAX_BYTES
    engine = OnnxRuntimeEngine(MODEL, "CPU", 1)
    assert engine.metadata["symbols"].split("\t") == list(SYMBOLS)
    assert engine.input_shapes == {"crops": (None, 1, HEIGHT, None)}


@pytest.mark.parametrize(
    ("name", "least_exact", "most_wrong"),
    [("dseg", 0.95, 0.01), ("strokes", 0.95, 0.01), ("dseg-1", 0.85, 0.06), ("strokes-1", 0.9, 0.04)],
)
@pytest.mark.usefixtures("dseg")
def test_it_reads_displays_it_never_saw(
    reader: SevenSegmentReader, name: str, least_exact: float, most_wrong: float
) -> None:
    figures = measure(reader.read, name, COUNT, SEED)
    exact, _, wrong = figures.shares(MIN_CONFIDENCE)
    failed = [(one.text, reading) for _, one, reading in figures.failed]
    assert exact >= least_exact, failed
    assert wrong <= most_wrong, failed


@pytest.mark.usefixtures("dseg")
def test_digits_that_are_cut_off_are_no_values(reader: SevenSegmentReader) -> None:
    sure = [reading for one in displays("cut", COUNT, SEED) if (reading := reader.read(one.picture)).confidence >= 0.5]
    assert len(sure) <= 0.03 * COUNT, sure


def test_where_there_is_no_display_there_is_no_text(reader: SevenSegmentReader) -> None:
    rng = np.random.default_rng(1)
    flat = np.full((90, 300, 3), 128, np.uint8)
    noise = rng.normal(90, 6, (90, 300, 3)).astype(np.uint8)
    gradient = np.repeat(np.linspace(20, 230, 300, dtype=np.uint8)[np.newaxis, :, np.newaxis], 90, 0).repeat(3, 2)
    for picture in (flat, noise, gradient):
        assert reader.read(picture).confidence < MIN_CONFIDENCE


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (4, 4), (5, 4000), (2000, 6), (1080, 1920)])
def test_zones_of_any_size_are_taken(reader: SevenSegmentReader, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(2).integers(0, 255, (*size, 3), np.uint8)
    assert reader.read(picture).confidence < MIN_CONFIDENCE


def _shown() -> Iterator[Picture]:
    for number in range(12):
        yield unseen.display(np.random.default_rng([SEED, number]), unseen.strokes).picture


def test_threads_share_it(reader: SevenSegmentReader) -> None:
    pictures = list(_shown())
    alone = [reader.read(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reader.read, pictures)) == alone


def test_both_engines_say_the_same(reader: SevenSegmentReader) -> None:
    other = SevenSegmentReader(EngineChoice("openvino"))
    for picture in _shown():
        one, two = reader.read(picture), other.read(picture)
        assert one.text == two.text
        assert one.confidence == pytest.approx(two.confidence, abs=0.02)


def test_another_model_is_refused() -> None:
    scene = MODEL.parents[3] / "camera_emulator" / "scene_model" / "scene.onnx"
    with pytest.raises(ModelError, match=r"scene\.onnx is no model of seven-segment displays"):
        SevenSegmentReader(model=scene)


def test_the_probabilities_of_all_texts_make_one() -> None:
    said = np.random.default_rng(3).normal(0, 1, (3, 4)).astype(np.float32)
    likely = likelihoods(said)
    texts = [list(text) for length in range(5) for text in product((1, 2), repeat=length)]
    assert sum(probability(likely, text) for text in texts if _fits(text, 4)) == pytest.approx(1)


def _fits(text: list[int], columns: int) -> bool:
    """Whether there is room for the symbols and for the pauses between those that are the same."""
    return len(text) + sum(one == two for one, two in pairwise(text)) <= columns


def test_neighbouring_columns_are_one_symbol_and_a_pause_parts_two() -> None:
    path = [0, 2, 2, 0, 2, 12, 12, 0]
    said = np.zeros((len(SYMBOLS), len(path)), np.float32)
    said[path, np.arange(len(path))] = 9
    symbols = best_symbols(likelihoods(said))
    assert text_of(symbols) == "111."
    assert probability(likelihoods(said), symbols) > 0.9


def test_the_likelier_text_of_two_looks_counts() -> None:
    seven, point, broken = Look("7", 0.9), Look("7.", 0.6), Look("?", 0.9)
    for looks, confidence in (([seven, seven], 0.9), ([point, seven], 0.45)):
        assert judged(looks).text == "7"
        assert judged(looks).confidence == pytest.approx(confidence)
    assert judged([point, broken]) == RawReading("?", 0.0)
    assert judged([Look("", 0.9), point]) == RawReading("", 0.0)


def test_a_row_that_runs_askew_is_followed() -> None:
    columns = np.arange(20)
    there = ((columns >= 4) & (columns < 16)).astype(np.float32)
    upper = (0.2 + 0.01 * columns).astype(np.float32)
    found = row(there, upper, upper + np.float32(0.5))
    assert found is not None
    (left, top), (right, right_top), _, (_, bottom) = found
    assert (left, right) == (4 * STRIDE, 16 * STRIDE)
    assert right_top - top == pytest.approx(12 * 0.01 * HEIGHT, abs=0.1)
    assert bottom - top == pytest.approx(0.5 * HEIGHT, abs=0.1)
    assert row(np.zeros(20, np.float32), upper, upper) is None
    assert row(there, upper, upper) is None


def test_a_crop_keeps_its_proportions_within_bounds() -> None:
    assert width_for(3.0) == 3 * HEIGHT
    assert width_for(50.0) == WIDEST
    assert whole(np.zeros((480, 960), np.uint8)).shape == (HEIGHT, 2 * HEIGHT)


def test_drawn_displays_are_those_of_their_seed_and_say_what_the_network_knows() -> None:
    for number in range(40):
        one, two = (view(np.random.default_rng([5, number]), 144) for _ in range(2))
        assert np.array_equal(one.picture, two.picture)
        assert one.symbols == two.symbols
        assert one.picture.shape == (HEIGHT, 144)
        assert set(one.symbols) <= set(SYMBOLS[1:])
        assert len(one.middles) == len(one.symbols)
