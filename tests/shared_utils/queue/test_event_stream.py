"""The event stream over a real Redis: order, filters, restarts, rubbish."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from devtools.redis_server import RedisServer
from shared_utils import messages
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import Event, event_to_dict
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.event_publisher import CAPACITY
from shared_utils.queue.event_stream import (
    FIELD,
    KEPT,
    MAX_ENTRY_BYTES,
    MAX_READ_BYTES,
    STREAM_KEY,
    EventPublisher,
    EventReader,
)
from shared_utils.queue.quarantine import QUARANTINE
from tests.support.log_lines import logged
from tests.support.redis_rubbish import MEMBERS, TYPES

AT = datetime(2026, 2, 23, 12, 48, 31, 120000, UTC)
READING = Event("reading", AT, "press-3", "pressure", "12.4", 0.97, picture="events/x.jpg", more={"unit": "bar"})
SAVED = Event("clip", AT, "door", value="saved", filename="20260223-144819-door.mp4")
STARTED = Event("service", AT, value="started", more={"program": "capture"})
WAIT_S = 30.0


def numbered(count: int, start: int = 0) -> list[Event]:
    return [Event("light", AT, "door", value=start + number) for number in range(count)]


def values(events: list[Event]) -> list[object]:
    return [event.value for event in events]


def read_all(reader: EventReader, count: int, seconds: float = WAIT_S) -> list[Event]:
    """Read until there are `count`, and what comes with them."""
    found: list[Event] = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += reader.read(1.0)
    return found


def wait_for_log(caplog: pytest.LogCaptureFixture, message: str, seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not logged(caplog, message):  # type: ignore[arg-type]
        assert time.monotonic() < deadline, f"not logged: {message}"
        time.sleep(0.02)


@pytest.fixture
def publisher(redis_server: RedisServer) -> Iterator[EventPublisher]:
    made = EventPublisher(redis_server.settings)
    made.start()
    yield made
    made.stop()


def test_events_come_out_as_they_went_in(redis_server: RedisServer, publisher: EventPublisher) -> None:
    for event in (READING, SAVED, STARTED):
        publisher.publish(event)
    with EventReader(redis_server.settings, after="0") as reader:
        assert read_all(reader, 3) == [READING, SAVED, STARTED]
        assert reader.read(0) == []
        place = reader.last_id
    publisher.publish(READING)
    with EventReader(redis_server.settings, after=place) as reader:
        assert read_all(reader, 1) == [READING]
    with EventReader(redis_server.settings, after="0") as reader:
        assert len(read_all(reader, 4)) == 4


def test_from_now_on_is_what_follows(redis_server: RedisServer, publisher: EventPublisher) -> None:
    with EventReader(redis_server.settings, after="0") as first, EventReader(redis_server.settings) as reader:
        assert reader.last_id == ""
        publisher.publish(READING)
        read_all(first, 1)
        assert reader.read(0) == []
        publisher.publish(SAVED)
        assert read_all(reader, 1) == [SAVED]


def test_from_now_on_before_there_is_a_stream(redis_server: RedisServer, publisher: EventPublisher) -> None:
    with EventReader(redis_server.settings) as reader:
        assert reader.read(0) == []
        publisher.publish(READING)
        assert read_all(reader, 1) == [READING]


@pytest.mark.parametrize(
    ("types", "cameras", "expected"),
    [
        ((), (), [READING, SAVED, STARTED]),
        (("reading", "service"), (), [READING, STARTED]),
        ((), ("door",), [SAVED]),
        (("reading",), ("door", "press-3"), [READING]),
        (("earthquake",), (), []),
        ("clip", "door", [SAVED]),  # one name alone
    ],
)
def test_by_type_and_camera(redis_server: RedisServer, publisher: EventPublisher, types, cameras, expected) -> None:
    for event in (READING, SAVED, STARTED):
        publisher.publish(event)
    with EventReader(redis_server.settings, after="0") as reader:
        assert len(read_all(reader, 3)) == 3
    with EventReader(redis_server.settings, after="0", types=types, cameras=cameras) as reader:
        assert reader.read(0) == expected


def test_a_filter_finds_what_lies_deep(redis_server: RedisServer, publisher: EventPublisher) -> None:
    for event in [*numbered(500), READING]:
        publisher.publish(event)
    with EventReader(redis_server.settings, after="0") as reader:
        assert len(read_all(reader, 501)) == 501
    with EventReader(redis_server.settings, after="0", types={"reading"}) as reader:
        assert reader.read(0) == [READING]


@pytest.mark.parametrize("after", ["x", "", "-1", "1-2-3", "$", "1" * 21, "1-0\n"])
def test_a_wrong_id_is_refused(redis_server: RedisServer, after: str) -> None:
    with pytest.raises(SettingError, match="no id of the event stream"):
        EventReader(redis_server.settings, after=after)


def test_iterating_resumes_where_the_reader_stopped(redis_server: RedisServer, publisher: EventPublisher) -> None:
    for event in numbered(10):
        publisher.publish(event)
    with EventReader(redis_server.settings, after="0") as reader:
        assert values(list(itertools.islice(reader, 4))) == [0, 1, 2, 3]
        with EventReader(redis_server.settings, after=reader.last_id) as second:
            assert values(read_all(second, 6)) == [4, 5, 6, 7, 8, 9]
        assert values(list(itertools.islice(reader, 6))) == [4, 5, 6, 7, 8, 9]


# -- consumer groups of Redis: what docs/live.md says of them


def test_a_consumer_group_gets_all_events_in_order(redis_server: RedisServer, publisher: EventPublisher) -> None:
    connection: Any = redis_server.connection()
    connection.xgroup_create(STREAM_KEY, "notifier", id="$", mkstream=True)
    with EventReader(redis_server.settings) as reader:
        assert reader.read(0) == []  # a stream without entries is there already
        for event in numbered(50):
            publisher.publish(event)
        assert values(read_all(reader, 50)) == list(range(50))
    [[_, entries]] = connection.xreadgroup("notifier", "first", {STREAM_KEY: ">"}, count=100)
    lines = [json.loads(fields[FIELD.encode()]) for _, fields in entries]
    assert [line["value"] for line in lines] == list(range(50))
    connection.xack(STREAM_KEY, "notifier", *[entry_id for entry_id, _ in entries[1:]])
    connection.xtrim(STREAM_KEY, maxlen=10, approximate=False)
    # who did not confirm an entry gets it again, without its field once it is no longer kept
    assert connection.xreadgroup("notifier", "first", {STREAM_KEY: "0"}) == [
        [STREAM_KEY.encode(), [(entries[0][0], {})]]
    ]


def test_a_consumer_group_is_made_again_after_a_loss(redis_server: RedisServer, publisher: EventPublisher) -> None:
    connection: Any = redis_server.connection()
    connection.xgroup_create(STREAM_KEY, "notifier", id="$", mkstream=True)
    connection.flushall()
    with pytest.raises(redis.ResponseError, match="NOGROUP"):
        connection.xreadgroup("notifier", "first", {STREAM_KEY: ">"})
    connection.xgroup_create(STREAM_KEY, "notifier", id="0", mkstream=True)
    publisher.publish(SAVED)
    with EventReader(redis_server.settings, after="0") as reader:
        read_all(reader, 1)
    [[_, [(_, fields)]]] = connection.xreadgroup("notifier", "first", {STREAM_KEY: ">"})
    assert json.loads(fields[FIELD.encode()])["id"] == SAVED.id


# -- rubbish


def test_entries_that_are_no_events_are_skipped(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    connection = redis_server.connection()
    line = event_to_dict(READING)
    odd = [
        *MEMBERS.values(), b"[1]", b"null", b'{"id": "x"}', b"[" * 10_000, b'{"a":' * 5_000,
        json.dumps(line | {"at": "yesterday"}).encode(), json.dumps(line | {"id": 5}).encode(),
        json.dumps(line | {"x": "y" * MAX_READ_BYTES}).encode(),
    ]  # fmt: skip
    for content in odd:
        connection.xadd(STREAM_KEY, {FIELD: content})
    connection.xadd(STREAM_KEY, {b"\xff": b"\xfe"})
    for schema in (2, "two", None, [1], True):
        connection.xadd(STREAM_KEY, {FIELD: json.dumps(line | {"schema": schema})})
    connection.xadd(STREAM_KEY, {FIELD: json.dumps(line | {"confidence": 10**400, "camera": 5})})
    publisher.publish(SAVED)
    with EventReader(redis_server.settings, after="0") as reader:
        found = read_all(reader, 2)
    assert [event.type for event in found] == ["reading", "clip"]
    assert (found[0].confidence, found[0].camera) == (None, None)
    assert reader.skipped == len(odd) + 1 + 5
    assert len(logged(caplog, messages.ENTRIES_SKIPPED)) == 2
    assert any("update vcam" in text for text in logged(caplog, messages.ENTRIES_SKIPPED))


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "stream"])
def test_a_key_of_another_type_is_moved_aside(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    connection = redis_server.connection()
    TYPES[kind](connection, STREAM_KEY)
    with EventReader(redis_server.settings, after="0") as reader:
        with pytest.raises(QueueUnavailable, match=r"vcam:events in the Redis at .* is no event stream"):
            reader.read(0)
        publisher.publish(SAVED)
        deadline = time.monotonic() + WAIT_S
        while not logged(caplog, messages.EVENT_KEY_MOVED_ASIDE) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert read_all(reader, 1) == [SAVED]
    assert len(logged(caplog, messages.EVENT_KEY_MOVED_ASIDE)) == 1
    assert len(connection.keys(f"{QUARANTINE}{STREAM_KEY}:*")) == 1


def test_a_stream_whose_ids_are_used_up_is_moved_aside(redis_server: RedisServer, publisher: EventPublisher) -> None:
    connection = redis_server.connection()
    connection.xadd(STREAM_KEY, {"x": "y"}, id="18446744073709551615-18446744073709551615")
    with EventReader(redis_server.settings) as reader:
        assert reader.read(0) == []
        publisher.publish(SAVED)
        assert read_all(reader, 1) == [SAVED]
    assert len(connection.keys(f"{QUARANTINE}{STREAM_KEY}:*")) == 1


def test_large_and_unusable_events_are_bounded(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    long = "ä" * MAX_ENTRY_BYTES
    bad = [
        Event("reading", AT, value=long), Event("reading", AT, value=object()), Event("reading", AT, value=1e999),
        Event("light", AT, value="\udcff"), Event("page", None),  # type: ignore[arg-type]
    ]  # fmt: skip
    for event in [Event("object", AT, "door", value="seen", more={"boxes": long}), *bad, SAVED]:
        publisher.publish(event)
    with EventReader(redis_server.settings, after="0") as reader:
        shortened, last = read_all(reader, 2)
    assert (shortened.value, dict(shortened.more), last) == ("seen", {"shortened": True}, SAVED)
    assert publisher.dropped == len(bad)
    assert len(logged(caplog, messages.EVENT_UNUSABLE)) == 3  # one per type


# -- Redis comes and goes


def test_redis_is_away_at_the_start(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    redis_server.stop()
    publisher = EventPublisher(redis_server.settings)
    publisher.start()
    for event in numbered(CAPACITY + 500):
        publisher.publish(event)
    wait_for_log(caplog, messages.EVENTS_NOT_PUBLISHED)
    redis_server.start()
    wait_for_log(caplog, messages.EVENTS_PUBLISHED_AGAIN)
    publisher.stop()
    with EventReader(redis_server.settings, after="0") as reader:
        assert values(read_all(reader, CAPACITY)) == list(range(500, CAPACITY + 500))
    assert publisher.dropped == 500
    assert (
        len(logged(caplog, messages.EVENTS_NOT_PUBLISHED)) == len(logged(caplog, messages.EVENTS_PUBLISHED_AGAIN)) == 1
    )
    assert "500 were dropped" in logged(caplog, messages.EVENTS_PUBLISHED_AGAIN)[0]


def test_both_ends_outlive_a_restart(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher.publish(READING)
    with EventReader(redis_server.settings, after="0") as reader:
        events = iter(reader)
        assert next(events) == READING
        redis_server.stop()
        publisher.publish(SAVED)
        wait_for_log(caplog, messages.EVENTS_NOT_PUBLISHED)
        with pytest.raises(QueueUnavailable, match="RDS_HOST"):
            reader.read(0)
        restart = threading.Timer(1.0, redis_server.start)
        restart.start()
        assert next(events) == SAVED
        restart.join()
    assert len(logged(caplog, messages.EVENTS_NOT_READ)) == len(logged(caplog, messages.EVENTS_READ_AGAIN)) == 1


def test_a_wrong_password_ends_a_reader(redis_server: RedisServer) -> None:
    settings = RedisSettings(redis_server.host, redis_server.port, "wrong")
    with EventReader(settings) as reader:
        with pytest.raises(SettingError, match="RDS_PSW"):
            reader.read(0)
        with pytest.raises(SettingError, match="RDS_PSW"):
            next(iter(reader))


@pytest.mark.slow
def test_a_redis_that_hangs_delays_nobody_and_doubles_nothing(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher.publish(READING)
    with EventReader(redis_server.settings, after="0") as reader:
        read_all(reader, 1)
        assert redis_server.process
        redis_server.process.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            for event in numbered(500):
                publisher.publish(event)
            assert time.monotonic() - started < 1.0
            wait_for_log(caplog, messages.EVENTS_NOT_PUBLISHED)
        finally:
            redis_server.process.send_signal(signal.SIGCONT)
        wait_for_log(caplog, messages.EVENTS_PUBLISHED_AGAIN)
        # the request that was not answered has been executed all the same
        assert values(read_all(reader, 500)) == list(range(500))
        assert reader.read(1.0) == []
    assert publisher.dropped == 0


def test_a_server_that_never_answers_delays_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        publisher = EventPublisher(RedisSettings("127.0.0.1", server.getsockname()[1]))
        publisher.start()
        started = time.monotonic()
        for event in numbered(1000):
            publisher.publish(event)
        publisher.stop(0.5)
        assert time.monotonic() - started < 3.0


class Broken(redis.Redis):
    """A client that fails as it does with answers that are not those of Redis, while a test wants it to."""

    attempts = 0
    is_broken = True

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        if self.is_broken:
            self.attempts += 1
            raise AttributeError("'int' object has no attribute 'get'")
        return super().pipeline(transaction, shard_hint)


def test_answers_that_are_not_those_of_redis_are_reported_once_and_no_event_is_lost(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = redis_server.settings
    client = Broken(settings.host, settings.port, password=settings.password)
    publisher = EventPublisher(settings, make_connection=lambda _: client)
    publisher.publish(READING)
    publisher.start()
    deadline = time.monotonic() + WAIT_S
    while client.attempts < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.is_broken = False
    with EventReader(settings, after="0") as reader:
        assert read_all(reader, 1) == [READING]
    publisher.stop()
    assert len(logged(caplog, messages.EVENTS_FAILED)) == 1


def test_stopping_sends_what_waits(redis_server: RedisServer) -> None:
    publisher = EventPublisher(redis_server.settings)
    publisher.publish(READING)
    publisher.stop()  # was never started: nothing to wait for
    publisher.start()
    publisher.stop()
    with EventReader(redis_server.settings, after="0") as reader:
        assert read_all(reader, 1) == [READING]


# -- what Redis loses


def test_a_stream_that_begins_anew_with_lower_ids_is_read(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    connection = redis_server.connection()
    ahead = int(time.time() * 1000) + 3_600_000  # as if Redis' clock had been an hour ahead
    connection.xadd(STREAM_KEY, {FIELD: json.dumps(event_to_dict(READING))}, id=f"{ahead}-0")
    with EventReader(redis_server.settings, after="0") as reader:
        assert reader.read(0) == [READING]
        connection.delete(STREAM_KEY)
        publisher.publish(SAVED)
        assert read_all(reader, 1) == [SAVED]
    assert len(logged(caplog, messages.EVENT_STREAM_LOST)) == 1


def test_a_redis_without_a_file_loses_all_and_the_reader_goes_on(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    server.start()
    publisher = EventPublisher(server.settings)
    publisher.start()
    try:
        publisher.publish(READING)
        with EventReader(server.settings, after="0") as reader:
            assert read_all(reader, 1) == [READING]
            server.stop()
            server.start()
            publisher.publish(SAVED)
            found: list[Event] = []
            while SAVED not in found:
                with suppress(QueueUnavailable):
                    found += reader.read(1.0)
            # the first one comes again if Redis was killed before it answered the publisher
            assert found in ([SAVED], [READING, SAVED])
    finally:
        publisher.stop()
        server.stop()


def test_a_stream_that_lost_its_end_is_not_read_again(redis_server: RedisServer) -> None:
    connection = redis_server.connection()

    def add(number: int, entry_id: str | None = None) -> None:
        line = json.dumps(event_to_dict(Event("light", AT, value=number)))
        connection.xadd(STREAM_KEY, {FIELD: line}, id=entry_id or f"{number}-0")

    for number in range(1, 6):
        add(number)
    with EventReader(redis_server.settings, after="0") as reader:
        assert values(reader.read(0)) == [1, 2, 3, 4, 5]
        connection.delete(STREAM_KEY)
        for number in range(1, 4):  # as after a power cut that took the last second
            add(number)
        assert reader.read(0) == []
        add(6, "3-1")
        assert values(read_all(reader, 1)) == [6]


# -- bounds


@pytest.mark.slow
def test_a_flood_is_bounded(redis_server: RedisServer) -> None:
    redis_server.stop()
    publisher = EventPublisher(redis_server.settings)
    publisher.start()
    tracemalloc.start()
    try:
        for event in (Event("light", AT, "door", value=number) for number in range(100_000)):
            publisher.publish(event)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert publisher.dropped >= 100_000 - 2 * CAPACITY
    assert peak < 10e6
    publisher.stop(0.1)


@pytest.mark.slow
def test_the_stream_keeps_ten_thousand(redis_server: RedisServer) -> None:
    publisher = EventPublisher(redis_server.settings, capacity=100_000)
    for event in numbered(KEPT + 3000):
        publisher.publish(event)
    publisher.start()
    with EventReader(redis_server.settings, after="0") as reader:
        read_all(reader, KEPT + 3000)
    publisher.stop()
    assert KEPT <= redis_server.connection().xlen(STREAM_KEY) <= KEPT + 100


def test_a_redis_that_is_full_is_away_and_events_wait(
    redis_server: RedisServer, publisher: EventPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    connection = redis_server.connection()
    connection.config_set("maxmemory", 1)
    publisher.publish(READING)
    wait_for_log(caplog, messages.EVENTS_NOT_PUBLISHED)
    assert "maxmemory" in logged(caplog, messages.EVENTS_NOT_PUBLISHED)[0]
    assert "press-3" not in logged(caplog, messages.EVENTS_NOT_PUBLISHED)[0]
    connection.config_set("maxmemory", 0)
    with EventReader(redis_server.settings, after="0") as reader:
        assert read_all(reader, 1) == [READING]


def test_events_of_many_threads_all_arrive(redis_server: RedisServer, publisher: EventPublisher) -> None:
    def publish(start: int) -> None:
        for event in numbered(100, start):
            publisher.publish(event)

    threads = [threading.Thread(target=publish, args=(100 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    with EventReader(redis_server.settings, after="0") as reader:
        assert sorted(values(read_all(reader, 800))) == list(range(800))  # type: ignore[type-var]
    for thread in threads:
        thread.join()
    assert publisher.dropped == 0
