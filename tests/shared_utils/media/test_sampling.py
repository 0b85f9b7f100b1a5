import pytest

from shared_utils.media.sampling import Sampler, sampled


def times(fps: float, seconds: float) -> list[float]:
    return [number / fps for number in range(round(fps * seconds))]


@pytest.mark.parametrize(
    ("rate", "fps", "expected"),
    [
        (20, 5, list(range(0, 40, 4))),
        (25, 5, list(range(0, 50, 5))),
        (12.5, 5, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]),
        (2, 5, [0, 1, 2, 3]),  # fewer there than wanted: all
        (10, 0, list(range(20))),
        (10, 0.5, [0]),
    ],
)
def test_frames_are_taken_by_time(rate, fps, expected):
    assert sampled(times(rate, 2), fps) == expected


def test_times_rounded_by_the_container_do_not_shift_the_samples():
    # 30 fps in milliseconds, as Matroska has it: 0, 33, 67, 100 …
    rounded = [round(number * 1000 / 30) / 1000 for number in range(60)]
    assert sampled(rounded, 5) == list(range(0, 60, 6))


def test_a_gap_is_not_made_up_for():
    assert sampled([0.0, 0.1, 0.2, 3.05, 3.1, 3.15, 3.2], 5) == [0, 2, 3, 6]


def test_no_frames():
    assert sampled([], 5) == []


@pytest.mark.parametrize("fps", [-1, float("nan")])
def test_a_senseless_rate_is_refused(fps):
    with pytest.raises(ValueError, match="0 or more"):
        Sampler(fps)
