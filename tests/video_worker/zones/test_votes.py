"""The label of an object in a zone is the one that the summary of the clip gives it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from video_worker.pipeline.track_summary import TrackSummary, counted_tracks
from video_worker.zones.votes import Votes

LABELS = ("car", "bus", "suitcase", "cell phone")


@pytest.mark.parametrize("wanted", [None, ("car",), ("bus", "suitcase")])
@pytest.mark.parametrize("seed", range(40))
def test_votes_decide_as_the_summary_does(seed, wanted):
    rng = np.random.default_rng(seed)
    track, votes, times = TrackSummary(1), Votes(), []
    for frame in range(int(rng.integers(1, 12))):
        times.append(frame / 5)
        found = {str(label): float(score) for label, score in zip(rng.permutation(LABELS), rng.random(2), strict=False)}
        ordered = sorted(found.items(), key=lambda one: -one[1])
        for label, score in ordered:
            reported = wanted is None or label in wanted
            track.add(frame, times[-1], label, score, strong=score >= 0.5, reported=reported)
        votes.add(dict(ordered), 0.2, 0.5, wanted)
        votes = Votes.of_state(json.loads(json.dumps(votes.state())))
    assert votes.hits == len(track.frames)
    assert votes.label == (track.label if track.frames else None)
    # the summary counts one track in any case
    other = TrackSummary(2)
    for frame in range(len(times)):
        other.add(frame, times[frame], "car", 0.9, strong=True, reported=True)
    enough = len(track.frames) >= 2 and track in counted_tracks([track, other], times, 2)
    assert votes.count(2) is enough


def test_the_confidence_is_the_best_score():
    votes = Votes()
    for score in (0.6, 0.9, 0.7):
        votes.add({"car": score}, 0.2, 0.5, None)
    assert votes.confidence("car") == 0.9
