"""The program and the commands of docs/live.md for events work as they are written."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devtools.paths import ROOT
from devtools.redis_server import RedisServer
from shared_utils.contracts.events import TYPES, Event, event_from_dict, event_to_dict
from shared_utils.contracts.json_lines import parse_object
from shared_utils.queue.event_publisher import KEPT, MAX_ENTRY_BYTES
from shared_utils.queue.event_stream import STREAM_KEY, EventPublisher
from tests.support.events import Listener
from tests.support.programs import Programs

TEXT = (ROOT / "docs" / "live.md").read_text(encoding="utf-8").partition("\n## Events\n")[2].partition("\n## ")[0]
MOTION = Event("motion", datetime(2026, 2, 23, 12, 48, 31, tzinfo=UTC), "door", value="started", more={"share": 0.0087})


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_the_reader_prints_what_comes(redis_server: RedisServer, programs: Programs) -> None:
    program = block("python")
    assert len(program.splitlines()) <= 10
    reader = programs.python("-c", program, env=redis_server.env)
    publisher = EventPublisher(redis_server.settings)
    publisher.start()
    others = [Event("camera", MOTION.at, "door", value="up"), Event("service", MOTION.at, value="started")]
    monitor = redis_server.connection()
    # the reader begins with what comes from its start on
    while not any(client["cmd"] == "xread" for client in monitor.client_list()):
        assert reader.process.poll() is None, reader.text
    for event in [*others, MOTION]:
        publisher.publish(event)
    local = MOTION.at.astimezone()
    reader.wait_for(re.escape(f"{local:%H:%M:%S} door: motion started {{'share': 0.0087}}"))
    assert len(reader.lines) == 1
    publisher.stop()


def test_the_reader_says_that_the_password_is_wrong(redis_server: RedisServer, programs: Programs) -> None:
    reader = programs.python("-c", block("python"), env={**redis_server.env, "RDS_PSW": "wrong"})
    assert reader.wait() == 1
    assert "RDS_PSW" in reader.lines[-1]


@pytest.mark.parametrize("line", re.findall(r"^docker compose exec redis redis-cli (.*)$", TEXT, re.MULTILINE))
def test_the_commands_are_redis(redis_server: RedisServer, line: str) -> None:
    publisher = EventPublisher(redis_server.settings)
    publisher.publish(MOTION)
    publisher.start()
    publisher.stop()
    Listener(redis_server).wait_for("motion", "started")
    words = shlex.split(line.replace("BLOCK 0", "BLOCK 1").replace("$", "0"))
    answer = str(redis_server.connection().execute_command(*words))
    assert MOTION.id in answer


def test_the_example_is_an_event() -> None:
    entry = parse_object(block("json").encode())
    assert entry is not None
    event = event_from_dict(entry, Path("live.md"))
    assert event is not None
    assert list(event_to_dict(event)) == list(entry)


def test_the_table_has_every_type_and_value() -> None:
    section = TEXT[TEXT.index("| type | value |") : TEXT.index("are to come")]
    words = set(re.findall(r"`(\w+)`", section))
    assert set(TYPES) | {value for values in TYPES.values() for value in values} - {"in", "out"} <= words


def test_the_figures_are_those_of_the_code() -> None:
    assert f"`{STREAM_KEY}`" in TEXT
    assert f"about {KEPT:,} are kept" in TEXT
    assert f"more than {MAX_ENTRY_BYTES // 1024} KB" in TEXT
