"""The live window: where to begin, what comes next, what is gone, and when to look again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.support.network.http_site import Clock
from vcam_worker.stream.packet_source import Played
from vcam_worker.stream.protocols.hls.playlist import MediaPlaylist, Piece, Segment
from vcam_worker.stream.protocols.hls.window import Due, Window

TARGET = 6.0
BASE = "http://h/live.m3u8"


def playlist(
    numbers: Iterable[int], *, name: str = "s", ended: bool = False, anew: int = -1, query: str = ""
) -> MediaPlaylist:
    segments = [Segment(one, Piece(f"{name}{one}.ts{query}"), TARGET, starts_anew=one == anew) for one in numbers]
    return MediaPlaylist(TARGET, segments[0].number, tuple(segments), ended)


class Server:
    """A window that a test feeds, playlist by playlist."""

    def __init__(self, played: Played | None = None) -> None:
        self.clock = Clock(1000.0)
        self.window = Window(self.clock, played)

    def load(self, numbers: Iterable[int], after: float = TARGET, **more: object) -> list[Due]:
        """Load a playlist some seconds later; return what is to be fetched now."""
        self.clock.time += after
        self.window.update(playlist(numbers, **more), BASE, self.clock())  # type: ignore[arg-type]
        return list(iter(self.window.take, None))


def numbers(dues: list[Due]) -> list[int]:
    return [due.segment.number for due in dues]


def test_it_begins_three_target_durations_from_the_end_once_the_playlist_has_changed() -> None:
    server = Server()
    assert server.load(range(10, 20)) == []
    assert server.load(range(10, 20)) == []
    dues = server.load(range(11, 21))
    assert numbers(dues) == [18, 19, 20]
    assert [due.published for due in dues] == [server.clock() - 12, server.clock() - 6, server.clock()]
    assert not any(due.skipped_s or due.starts_anew for due in dues)
    assert numbers(server.load(range(12, 22))) == [21]


def test_a_short_list_is_taken_from_its_beginning() -> None:
    server = Server()
    server.load([0])
    assert numbers(server.load([0, 1])) == [0, 1]


def test_reloads_keep_the_pace_of_the_rfc() -> None:
    server = Server()
    server.load(range(3))
    assert server.window.reload_at == server.clock() + TARGET
    server.load(range(3))
    assert server.window.reload_at == server.clock() + TARGET / 2
    server.load(range(1, 4))
    assert server.window.reload_at == server.clock() + TARGET
    server.window.failed(server.clock())
    assert server.window.reload_at == server.clock() + TARGET / 2


@pytest.mark.parametrize("first", [7, 30, 900])
def test_what_fell_out_of_the_list_is_a_gap_of_its_duration_and_the_rest_is_had(first: int) -> None:
    server = Server()
    server.load(range(4))
    server.load(range(1, 5))
    dues = server.load(range(first, first + 4), after=(first - 1) * TARGET)
    assert numbers(dues) == [first, first + 1, first + 2, first + 3]
    assert [due.skipped_s for due in dues] == [(first - 5) * TARGET, 0, 0, 0]
    assert not any(due.starts_anew for due in dues)


def test_a_segment_that_cannot_be_had_is_a_gap_before_the_next_one() -> None:
    server = Server()
    server.load(range(4))
    [*_, last] = server.load(range(1, 5))
    server.window.skip(last)
    [due] = server.load(range(2, 6))
    assert due.skipped_s == TARGET


@pytest.mark.parametrize("restarted", [range(1), range(4)])
def test_a_server_that_begins_anew_is_taken_from_three_targets_before_its_end(restarted: range) -> None:
    server = Server()
    server.load(range(50, 54))
    server.load(range(51, 55))
    dues = server.load(restarted, after=30, name="new")
    assert numbers(dues) == list(restarted)[-3:]
    assert [due.starts_anew for due in dues] == [True, False, False][: len(dues)]
    assert dues[0].skipped_s == 0


@pytest.mark.parametrize("first", [40, 10**15])
def test_numbers_that_leap_ahead_of_the_time_that_passed_begin_anew(first: int) -> None:
    server = Server()
    server.load(range(4))
    server.load(range(1, 5))
    dues = server.load(range(first, first + 4), after=30)
    assert numbers(dues) == [first + 1, first + 2, first + 3]
    assert (dues[0].skipped_s, dues[0].starts_anew) == (0, True)


@pytest.mark.parametrize("lag", [1, 3, 20])
def test_an_old_copy_of_a_cache_changes_nothing(lag: int) -> None:
    server = Server()
    server.load(range(30, 54))
    server.load(range(31, 55))
    old = range(51 - lag, 55 - lag)
    assert server.load(old, query="?old") == []
    assert numbers(server.load(range(52, 56))) == [55]
    assert [server.load(old) for _ in range(3)] == [[], [], []]
    due, *_ = server.load(old, query="?later")  # for so long, it is none
    assert due.starts_anew


def test_servers_that_take_turns_are_not_mixed() -> None:
    """Two encoders of the same camera behind one URL, each with numbers of its own."""
    server = Server()
    server.load(range(1000, 1004))
    assert numbers(server.load(range(1001, 1005))) == [1002, 1003, 1004]
    found = []
    for turn in range(10):
        dues = server.load(range(20 + turn, 24 + turn), name="b")
        dues += server.load(range(1002 + turn, 1006 + turn), after=0.5, name="s")
        assert all(due.skipped_s == 0 for due in dues)
        found += numbers(dues)
    assert found == list(range(23, 33))


def test_a_server_that_numbers_anew_what_it_has_listed_is_not_played_again() -> None:
    server = Server()
    server.load(range(50, 54))
    server.load(range(51, 55))
    dues = server.load(range(6), name="renamed")
    assert numbers(dues) == [5]
    assert dues[0].starts_anew


@pytest.mark.parametrize("query", ["", "?token=1"])
def test_segments_without_numbers_are_told_by_what_the_lists_share(query: str) -> None:
    server = Server()

    def load(first: int, last: int) -> list[str]:
        server.clock.time += TARGET
        listed = playlist(range(first, last), query=query)
        unnumbered = [replace(one, number=place) for place, one in enumerate(listed.segments)]
        server.window.update(
            replace(listed, first=0, segments=tuple(unnumbered), is_numbered=False), BASE, server.clock()
        )
        return [due.segment.piece.name for due in iter(server.window.take, None)]

    assert load(7, 11) == []
    assert load(8, 12) == ["s9.ts", "s10.ts", "s11.ts"]
    assert load(8, 12) == []
    assert load(10, 14) == ["s12.ts", "s13.ts"]
    assert load(30, 32) == ["s30.ts", "s31.ts"]


def test_a_discontinuity_is_handed_on() -> None:
    server = Server()
    server.load(range(4))
    server.load(range(1, 5))
    assert [due.starts_anew for due in server.load(range(2, 6), anew=5)] == [True]


@pytest.mark.parametrize(
    ("played", "loads"),
    [
        (Played(4, "s4.ts", 0), [[], [], [5]]),  # nothing of it is played again
        (Played(3, "s3.ts", 0), [[4], [], [5]]),  # what follows shows that it is live
        (Played(4, "other4.ts", 0), [[], [], [3, 4, 5]]),  # another stream
        (Played(3, "session3.ts", 1001), [[4], [], [5]]),  # other names for each session: the time tells
        (Played(99, "s99.ts", 0), [[], [], [3, 4, 5]]),
    ],
)
def test_a_further_connection_plays_nothing_again(played: Played, loads: list[list[int]]) -> None:
    server = Server(played)
    found = [
        numbers(server.load(one, query=f"?t={number}")) for number, one in enumerate((range(5), range(5), range(1, 6)))
    ]
    assert found == loads


def test_an_ended_stream_is_over_once_its_last_segment_is_taken() -> None:
    server = Server()
    server.load(range(4))
    server.load(range(5))
    assert not server.window.is_over
    assert numbers(server.load(range(6), ended=True)) == [5]
    assert server.window.is_over
    silent = Server()
    silent.load(range(4))
    assert silent.load(range(4), ended=True) == []
    assert silent.window.is_over
