"""The label of an object in a zone is the one that the summary of the clip gives it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from video_worker.pipeline.track_summary import TrackSummary, is_detected
from video_worker.zones.votes import Votes

LABELS = ("car", "bus", "suitcase", "cell phone")


@pytest.mark.parametrize("wanted", [None, ("car",), ("bus", "suitcase")])
@pytest.mark.parametrize("seed", range(40))
def test_votes_decide_as_the_summary_does(seed, wanted):
    rng = np.random.default_rng(seed)
    track, votes = TrackSummary(1), Votes()
    for frame in range(int(rng.integers(1, 12))):
        found = {str(label): float(score) for label, score in zip(rng.permutation(LABELS), rng.random(2), strict=False)}
        ordered = sorted(found.items(), key=lambda one: -one[1])
        for label, score in ordered:
            reported = wanted is None or label in wanted
            track.add(frame, frame / 5, label, score, strong=score >= 0.5, reported=reported)
        votes.add(dict(ordered), 0.2, 0.5, wanted)
        votes = Votes.of_state(json.loads(json.dumps(votes.state())))
    assert votes.hits == len(track.frames)
    assert votes.label == (track.label if track.frames else None)
    assert votes.count(2) is is_detected([track], 2)


def test_the_confidence_is_the_best_score():
    votes = Votes()
    for score in (0.6, 0.9, 0.7):
        votes.add({"car": score}, 0.2, 0.5, None)
    assert votes.confidence("car") == 0.9


@pytest.mark.parametrize(("fps", "counts"), [(2, True), (5, True), (10, False), (25, False)])
def test_a_ghost_of_two_frames_does_not_count_at_high_rates(fps, counts):
    votes = Votes()
    for score in (0.9, 0.9):
        votes.add({"car": score}, 1 / fps, 0.5, None)
    assert votes.count(2) is counts
    # what is really there has weaker boxes as well
    for _ in range(fps):
        votes.add({"car": 0.2}, 1 / fps, 0.5, None)
    assert votes.count(2)


def test_hits_of_one_frame_are_not_enough_however_long_it_lasts():
    votes = Votes()
    for score in (0.2, 0.2, 0.9, 0.2, 0.2):
        votes.add({"car": score}, 0.5, 0.5, None)
    assert not votes.count(2)
    assert votes.count(1)
