"""Modules of people's own: what they may do, and that no fault of theirs is anybody else's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from devtools.paths import ROOT
from shared_utils.errors import PluginFailed
from tests.support.programs import Programs
from video_worker.plugins.process import Limits, PluginValue
from video_worker.plugins.registry import REST_S, Plugins

PICTURE = np.full((20, 30, 3), 100, np.uint8)
ZONE = {"name": "tank", "camera": "yard", "settings": {"unit": "bar", "scale": 2.0, "old": False}, "time_s": 1.5}
QUICK = Limits(start_s=5.0, call_s=1.0)

Ask = Callable[..., PluginValue]


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plugins(tmp_path: Path, clock: Clock) -> Iterator[Plugins]:
    with Plugins(tmp_path / "plugins", QUICK, clock) as found:
        yield found


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a module, as an editor does."""
    (tmp_path / "plugins").mkdir()

    def replace(text: str, name: str = "gauge") -> Path:
        path = tmp_path / "plugins" / f"{name}.py"
        fresh = path.with_suffix(".tmp")
        fresh.write_text(text)
        return fresh.replace(path)

    return replace


@pytest.fixture
def ask(plugins: Plugins) -> Ask:
    def call(name: str = "gauge", picture: np.ndarray = PICTURE, mask: np.ndarray | None = None) -> PluginValue:
        return plugins.ask(name, picture, mask, ZONE)

    return call


def problem(ask: Ask, name: str = "gauge") -> str:
    with pytest.raises(PluginFailed) as caught:
        ask(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_gets_the_picture_and_the_zone(ask: Ask, write: Callable[..., Path]) -> None:
    write(
        "def read(picture, zone):\n"
        "    picture += 1\n"
        "    told = [picture.shape, picture.dtype, int(picture[0, 0, 0]), zone.name, zone.camera, zone.time_s]\n"
        "    return f'{told} {zone.settings} {None if zone.mask is None else zone.mask.shape}', 0.5\n"
    )
    assert ask() == PluginValue(
        "[(20, 30, 3), dtype('uint8'), 101, 'tank', 'yard', 1.5] {'unit': 'bar', 'scale': 2.0, 'old': False} None",
        None,
        0.5,
    )
    masked = ask(mask=np.zeros((20, 30), np.uint8)).value
    assert masked is not None
    assert masked.endswith("(20, 30)")
    assert PICTURE.max() == 100


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        ("'12.4', 0.9", PluginValue("12.4", None, 0.9)),
        ("12.4, 1", PluginValue("12.4", 12.4, 1.0)),
        ("7, 0", PluginValue("7", 7.0, 0.0)),
        ("np.float32(0.5), np.float64(0.25)", PluginValue("0.5", 0.5, 0.25)),
        ("picture.mean() > 50, 1", PluginValue("on", None, 1.0)),
        ("False, 1", PluginValue("off", None, 1.0)),
        ("None, 0.3", PluginValue(None, None, 0.3)),
        ("'x' * 5000, 1", PluginValue("x" * 1000, None, 1.0)),
    ],
)
def test_a_value_is_text_a_number_or_a_bool(
    ask: Ask, write: Callable[..., Path], returned: str, value: PluginValue
) -> None:
    write(f"import numpy as np\ndef read(picture, zone):\n    return {returned}\n")
    assert ask() == value


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("12.4", "gauge.py, line 3: read() returned float 12.4: return a value and its confidence, as in '12.4', 0.9"),
        ("'ab'", "gauge.py, line 3: read() returned str 'ab': return a value and its confidence"),
        ("1, 2", "gauge.py, line 3: read() returned the confidence int 2: return a number from 0 to 1"),
        ("1, None", "gauge.py, line 3: read() returned the confidence NoneType None: return a number from 0 to 1"),
        ("1, float('nan')", "gauge.py, line 3: read() returned the confidence float nan"),
        ("float('inf'), 1", "gauge.py, line 3: read() returned the value inf: return None where there is none"),
        ("{}, 1", "gauge.py, line 3: read() returned the value dict {}: return text, a number, a bool or None"),
    ],
)
def test_anything_else_is_no_value(ask: Ask, write: Callable[..., Path], returned: str, message: str) -> None:
    write(f"import numpy as np\n\ndef read(picture, zone):\n    return {returned}\n")
    assert problem(ask).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def read(picture, zone):\n    return 1 / 0, 1\n", "gauge.py, line 2: ZeroDivisionError: division by zero"),
        (
            "import json\n\ndef read(picture, zone):\n    text = '{'\n    return json.loads(text), 1\n",
            "gauge.py, line 5: json.decoder.JSONDecodeError: Expecting property name",
        ),
        ("def read(picture, zone):\n    return (1\n", "gauge.py, line 2: SyntaxError: '(' was never closed"),
        ("import nonesuch\n", "gauge.py, line 1: ModuleNotFoundError: No module named 'nonesuch'"),
        ("x = 1\n", "gauge.py: it has no function read(picture, zone)"),
        ("read = 5\n", "gauge.py: it has no function read(picture, zone)"),
        ("def read(picture):\n    return 1, 1\n", "gauge.py: TypeError: read() takes 1 positional argument but 2"),
        ("import sys\n\nsys.exit(3)\n", "gauge.py, line 3: SystemExit: 3"),
        ("def read(picture, zone):\n    raise SystemExit\n", "gauge.py, line 2: SystemExit"),
        ("def read(picture, zone):\n    raise KeyboardInterrupt\n", "gauge.py, line 2: KeyboardInterrupt"),
        ("import os\n\ndef read(picture, zone):\n    os._exit(9)\n", "gauge.py: its process has ended (exit code 9)"),
        (
            "import ctypes\n\ndef read(picture, zone):\n    ctypes.string_at(0)\n",
            "gauge.py: its process has ended (signal SIGSEGV)",
        ),
        ("def read(picture, zone):\n    while True:\n        pass\n", "gauge.py, line "),
        (
            "import threading\n\ndef read(picture, zone):\n    threading.Event().wait()\n",
            "gauge.py, line 4: it takes more than 1 s, and was ended",
        ),
        ("def read(picture, zone):\n    return read(picture, zone)\n", "gauge.py, line 2: RecursionError"),
        ("def read(picture, zone):\n    raise ValueError('a\\nb' * 1000)\n", "gauge.py, line 2: ValueError: a ba"),
    ],
)
def test_an_error_is_one_line_with_the_line_in_the_file(
    ask: Ask, write: Callable[..., Path], text: str, message: str
) -> None:
    write("def read(picture, zone):\n    return 'well', 1\n", "other")
    assert ask("other").value == "well"
    write(text)
    found = problem(ask)
    assert found.startswith(message)
    assert len(found) < 400
    assert ask("other").value == "well"


def test_one_that_does_not_let_go_of_the_interpreter_is_killed(tmp_path: Path, write: Callable[..., Path]) -> None:
    # a pattern that takes ages, in C, without ever giving other threads a turn
    write("import re\n\ndef read(picture, zone):\n    return re.match('(a+)+$', 'a' * 64 + 'b'), 1\n")
    with Plugins(tmp_path / "plugins", Limits(5.0, 0.2)) as plugins, pytest.raises(PluginFailed) as caught:
        plugins.ask("gauge", PICTURE, None, ZONE)
    assert "gauge.py: its process has ended (signal SIGKILL: it took too long" in str(caught.value)


def test_after_a_hang_it_rests_and_its_zone_is_told_at_once(
    plugins: Plugins, ask: Ask, write: Callable[..., Path], tmp_path: Path, clock: Clock
) -> None:
    calls = tmp_path / "calls"
    write(
        "import pathlib, time\n\ndef read(picture, zone):\n"
        f"    pathlib.Path({str(calls)!r}).open('a').write('x')\n    time.sleep(60)\n"
    )
    first = problem(ask)
    assert first == "gauge.py, line 5: it takes more than 1 s, and was ended"
    assert problem(ask) == first
    assert calls.read_text() == "x"
    clock.now = REST_S + 1
    assert problem(ask) == first
    assert calls.read_text() == "xx"


def test_a_change_of_the_file_is_taken_over_with_the_next_call(ask: Ask, write: Callable[..., Path]) -> None:
    write("def read(picture, zone):\n    return 'one', 1\n")
    assert ask().value == "one"
    write("def read(picture, zone)\n    return 'two', 1\n")
    assert problem(ask).startswith("gauge.py, line 1: SyntaxError")
    write("def read(picture, zone):\n    return 'two', 1\n")
    assert ask().value == "two"
    # of what it imports as well
    write("NUMBER = 3\n", "shared")
    write("import shared\n\ndef read(picture, zone):\n    return shared.NUMBER, 1\n")
    assert ask().number == 3
    write("NUMBER = 4\n", "shared")
    assert ask().number == 4


def test_a_change_is_taken_over_beside_an_editors_lock(
    ask: Ask, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emacs marks a file that is being edited by a link to nothing beside it."""
    write("def read(picture, zone): return 'old', 1.0")
    lock = tmp_path / "plugins" / ".#gauge.py"
    lock.symlink_to("somebody@somewhere.123:456")
    order = [lock, tmp_path / "plugins" / "gauge.py"]
    monkeypatch.setattr(Path, "glob", lambda _, __: iter(order))
    assert ask().value == "old"
    write("def read(picture, zone): return 'new', 1.0")
    assert ask().value == "new"


@pytest.mark.parametrize("text", ["return '\\ud800', 1.0", "raise ValueError('\\ud800')"])
def test_half_of_a_character_is_replaced(ask: Ask, write: Callable[..., Path], text: str) -> None:
    write(f"def read(picture, zone): {text}")
    try:
        given = str(ask().value)
    except PluginFailed as error:
        given = str(error)
    assert given.encode().endswith(b"?")


def test_a_module_may_have_the_name_of_a_library(ask: Ask, write: Callable[..., Path]) -> None:
    write("import cv2\ndef read(picture, zone): return cv2.mean(picture)[0], 1.0", "cv2")
    assert ask("cv2").number == 100.0


def test_errors_of_one_kind_in_one_line_are_told_in_the_same_words(ask: Ask, write: Callable[..., Path]) -> None:
    """So that each is logged once, whatever number is in it."""
    write("import time\n\ndef read(picture, zone):\n    raise ValueError(time.monotonic_ns())\n")
    assert problem(ask) == problem(ask)


def test_what_is_not_in_the_folder_is_no_module(ask: Ask, write: Callable[..., Path], tmp_path: Path) -> None:
    write("def read(picture, zone):\n    return 1, 1\n", "gauge")
    assert problem(ask, "guage").startswith("there is no module 'guage' (did you mean 'gauge'?): ")
    outside = tmp_path / "outside.py"
    outside.write_text("def read(picture, zone):\n    return 1, 1\n")
    (tmp_path / "plugins" / "link.py").symlink_to(outside)
    assert problem(ask, "link").startswith("link.py: it is a link out of ")
    with Plugins(tmp_path / "none") as nowhere, pytest.raises(PluginFailed, match="there is no module 'gauge'"):
        nowhere.ask("gauge", PICTURE, None, ZONE)


def test_what_it_prints_is_no_output_of_ours(
    ask: Ask, write: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    write(
        "import os, sys\nprint('loading')\n\ndef read(picture, zone):\n"
        "    print('reading')\n    os.write(1, b'raw')\n    sys.stdout.flush()\n    return input(), 1\n"
    )
    assert "EOFError" in problem(ask)
    out, err = capfd.readouterr()
    assert out == ""
    assert "reading" in err
    assert "raw" in err


def test_it_sees_no_passwords_and_is_killed_first_where_memory_is_short(
    ask: Ask, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDS_PSW", "secret")
    write(
        "import os\n\ndef read(picture, zone):\n"
        "    return f\"{sorted(os.environ)} {open('/proc/self/oom_score_adj').read().strip()}\", 1\n"
    )
    value = ask().value
    assert value is not None
    assert "RDS_PSW" not in value
    assert value.endswith("1000")


def _children() -> list[psutil.Process]:
    return [one for one in psutil.Process(os.getpid()).children(recursive=True) if one.is_running()]


def test_no_process_is_left(write: Callable[..., Path], tmp_path: Path) -> None:
    before = set(_children())
    write("import subprocess\n\nsubprocess.Popen(['sleep', '600'])\n\ndef read(picture, zone):\n    return 1, 1\n")
    with Plugins(tmp_path / "plugins", QUICK) as plugins:
        assert plugins.ask("gauge", PICTURE, None, ZONE).number == 1
        ours = [one for one in _children() if one not in before]
        assert len(ours) == 2
    gone, alive = psutil.wait_procs(ours, timeout=10)
    assert (len(gone), alive) == (2, [])


WORKER = """
import sys
import numpy as np
from pathlib import Path
from video_worker.plugins.registry import Plugins

plugins = Plugins(Path(sys.argv[1]))
zone = {"name": "tank", "camera": "yard", "settings": {}, "time_s": 0.0}
look = plugins.pool("gauge").submit(lambda: plugins.ask("gauge", np.zeros((4, 4, 3), np.uint8), None, zone))
look.result()
"""


@pytest.mark.parametrize("body", ["time.sleep(600)", "re.match('(a+)+$', 'a' * 64 + 'b')"])
def test_it_does_not_outlive_a_worker_that_is_killed(
    write: Callable[..., Path], tmp_path: Path, programs: Programs, body: str
) -> None:
    folder, pid = tmp_path / "plugins", tmp_path / "pid"
    write(
        f"import os, re, time\n\ndef read(picture, zone):\n    open({str(pid)!r}, 'w').write(f'{{os.getpid()}}.')\n"
        f"    {body}\n"
    )
    worker = programs.python("-c", WORKER, str(folder))
    deadline = time.monotonic() + 30
    while not pid.exists() or not pid.read_text().endswith("."):
        assert time.monotonic() < deadline, worker.text
        time.sleep(0.05)
    process = psutil.Process(int(pid.read_text().rstrip(".")))
    worker.end()
    assert psutil.wait_procs([process], timeout=10)[1] == []


@pytest.mark.parametrize("value", [0, 2.5, 9.9])
def test_the_example_reads_a_gauge(value: float) -> None:
    turned = 270 * value / 10
    angle = np.radians(225 - turned)
    picture = np.full((201, 201, 3), 220, np.uint8)
    cv2.circle(picture, (100, 100), 95, (60, 60, 60), 4)
    tip = int(100 + 80 * np.cos(angle)), int(100 - 80 * np.sin(angle))
    cv2.line(picture, (100, 100), tip, (30, 30, 30), 5, cv2.LINE_AA)
    settings: dict[str, Any] = {"min": 0, "max": 10, "min_angle": 225, "max_angle": -45}
    with Plugins(ROOT / "plugins") as plugins:
        found = plugins.ask("needle", picture, None, {**ZONE, "settings": settings})
        empty = plugins.ask("needle", np.full_like(picture, 220), None, {**ZONE, "settings": settings})
    assert found.number == pytest.approx(value, abs=0.1)
    assert found.confidence > 0.6
    assert empty == PluginValue(None, None, 0.0)
