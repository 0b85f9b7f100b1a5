"""scripts/env as people run it: at a terminal, and without one. Each test has a copy of what it needs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pexpect
import pytest
from pexpect.fdpexpect import fdspawn

from devtools.paths import ROOT
from shared_utils.config.cameras_file import cameras_from_env

TIMEOUT = 20
SETTING = re.compile(r"^([A-Z][A-Z0-9_]*)='?(.*?)'?$", re.MULTILINE)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("scripts", "shared_utils/config"):
        (tmp_path / folder).mkdir(parents=True)
    parts = ("__init__.py", "former_names.py", "config/__init__.py", "config/camera_url.py", "config/text_file.py")
    for name in ("scripts/env", "scripts/_env.py", ".env.example", *(f"shared_utils/{part}" for part in parts)):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def camera() -> Iterator[int]:
    """A port that somebody answers at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _run(place: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "TZ": "Europe/Kyiv", **environment}
    return subprocess.run(
        [sys.executable, "scripts/env", *arguments],
        cwd=place,
        env=kept,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


class _Talk(fdspawn):  # type: ignore[misc]  # pexpect has no types
    """`scripts/env` at a terminal of its own.

    Started by subprocess, which runs nothing of ours between fork and exec. pexpect.spawn does, in a copy of this
    process with all that it has loaded: late in a run of the whole suite that copy once ended without a word.
    """

    def __init__(self, place: Path, arguments: Sequence[str]) -> None:
        ours, theirs = os.openpty()
        # a session whose controlling terminal this is: the password is asked for there
        command = ["setsid", "--ctty", "--wait", sys.executable, "scripts/env", *arguments]
        self._program = subprocess.Popen(command, cwd=place, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        super().__init__(ours, encoding="utf-8", timeout=TIMEOUT)

    def sendintr(self) -> None:
        """Press Ctrl-C."""
        self.send("\x03")

    def exit_code(self) -> int:
        """Wait until it has ended."""
        code = self._program.wait(TIMEOUT)
        self.close()
        return code


def _talk(place: Path, *arguments: str) -> _Talk:
    return _Talk(place, arguments)


def _settings(place: Path) -> dict[str, str]:
    return dict(SETTING.findall((place / ".env").read_text()))


def test_the_demo_without_a_question(place: Path) -> None:
    done = _run(place, "--demo", "--yes")
    assert done.returncode == 0, done.stderr
    made = _settings(place)
    assert made["COMPOSE_PROFILES"] == "demo"
    assert made["YOLO_MODEL"] == "scene.onnx"
    assert made["TZ"] == "Europe/Kyiv"
    assert made["UID"] == str(os.getuid() or 1000)
    assert (place / ".env").stat().st_mode & 0o777 == 0o600
    assert (place / "video").stat().st_uid == int(made["UID"])
    assert "docker compose build base && docker compose up -d --build" in done.stdout


def _secrets(place: Path) -> set[str]:
    made = _settings(place)
    return {made["REDIS_PASSWORD"], made["JUPYTER_TOKEN"]}


def test_secrets_are_long_new_on_demand_and_not_shown(place: Path) -> None:
    found = set()
    for arguments in (["--demo", "--yes"], ["--rotate"], ["--rotate", "--demo", "--yes"]):
        done = _run(place, *arguments)
        assert done.returncode == 0, done.stderr
        found |= _secrets(place)
        assert not any(secret in done.stdout + done.stderr for secret in found)
    assert len(found) == 6
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in found)


def test_a_file_that_is_there_stays_unless_forced_and_is_kept(place: Path) -> None:
    (place / ".env").write_text("REDIS_PASSWORD=mine\n")
    done = _run(place, "--demo", "--yes")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (place / ".env").read_text() == "REDIS_PASSWORD=mine\n"
    assert _run(place, "--demo", "--yes", "--force").returncode == 0
    assert (place / ".env.old").read_text() == "REDIS_PASSWORD=mine\n"
    assert (place / ".env.old").stat().st_mode & 0o777 == 0o600
    assert _settings(place)["REDIS_PASSWORD"] == "mine"
    assert len(_settings(place)["JUPYTER_TOKEN"]) == 48


MINE = """# my notes, which nobody else has
COMPOSE_PROFILES=demo
RTSP_URL=rtsp://camera:8554/stream
YOLO_MODEL=mine.onnx  # tuned in March
WITH_YOLOV8N=0
REDIS_PASSWORD='a$b#c'
JUPYTER_TOKEN="t0ken"

UID=4711
GID=4712
TZ=Europe/Berlin
RETENTION_DAYS=14
HTTP_BIND=0.0.0.0
FOREIGN_SETTING=of another program
"""


def test_a_new_camera_changes_the_camera_and_nothing_else(place: Path) -> None:
    (place / ".env").write_text(MINE)
    assert _run(place, "--camera", "rtsp://127.0.0.1:1/a", "--yes", "--force").returncode == 0
    expected = MINE.replace("COMPOSE_PROFILES=demo", "#COMPOSE_PROFILES=demo")
    expected = expected.replace("WITH_YOLOV8N=0", "#WITH_YOLOV8N=0")
    first = expected.replace("RTSP_URL=rtsp://camera:8554/stream", "RTSP_URL='rtsp://127.0.0.1:1/a'")
    assert (place / ".env").read_text() == first
    assert _run(place, "--camera", "rtsp://127.0.0.1:1/b", "--yes", "--force").returncode == 0
    assert (place / ".env").read_text() == first.replace("1/a", "1/b")
    # both are kept
    assert (place / ".env.old").read_text() == MINE
    assert (place / ".env.old.2").read_text() == first
    done = _run(place, "--camera", "rtsp://127.0.0.1:1/b", "--yes", "--force")
    assert "is as it was" in done.stdout
    assert not (place / ".env.old.3").exists()
    for name in (".env", ".env.old", ".env.old.2"):
        assert (place / name).stat().st_mode & 0o777 == 0o600


def test_what_the_demo_has_too_stays_where_the_demo_does_not_run(place: Path) -> None:
    _run(place, "--camera", "rtsp://127.0.0.1:1/a", "--yes")
    with (place / ".env").open("a") as file:
        file.write("YOLO_MODEL=scene.onnx\nWITH_YOLOV8N=0\n")
    before = _settings(place)
    _run(place, "--camera", "rtsp://127.0.0.1:1/b", "--yes", "--force")
    assert _settings(place) == {**before, "RTSP_URL": "rtsp://127.0.0.1:1/b"}


def test_from_the_demo_to_a_camera_and_back(place: Path) -> None:
    _run(place, "--demo", "--yes")
    demo, kept = _settings(place), _secrets(place)
    _run(place, "--camera", "rtsp://127.0.0.1:1/a", "--yes", "--force")
    assert not {"COMPOSE_PROFILES", "YOLO_MODEL", "WITH_YOLOV8N"} & set(_settings(place))
    _run(place, "--demo", "--yes", "--force")
    assert _settings(place) == demo
    assert _secrets(place) == kept


def test_a_file_of_windows_keeps_its_settings(place: Path) -> None:
    (place / ".env").write_bytes(b"\xef\xbb\xbfREDIS_PASSWORD=mine\r\nJUPYTER_TOKEN=too\r\nUID=1\r\nGID=2\r\n")
    assert _run(place, "--demo", "--yes", "--force").returncode == 0
    made = _settings(place)
    assert (made["REDIS_PASSWORD"], made["JUPYTER_TOKEN"], made["UID"], made["GID"]) == ("mine", "too", "1", "2")
    (place / ".env").write_text("REDIS_PASSWORD=mine\n", encoding="utf-16")
    done = _run(place, "--demo", "--yes", "--force")
    assert done.returncode == 2
    assert "is saved as UTF-16" in done.stderr


def test_a_camera_at_the_terminal_with_user_and_password(place: Path, camera: int) -> None:
    talk = _talk(place)
    talk.expect("Address")
    talk.sendline("192.168.1.20/stream1")
    talk.expect("begins with rtsp://")
    talk.expect("Address")
    talk.sendline(f"rtsp://127.0.0.1:{camera}/stream1")
    talk.expect("User name")
    talk.sendline("viewer")
    talk.expect("Password")
    talk.sendline("p@ss/w#rd$1'%41")
    talk.expect("somebody answers there")
    talk.expect(pexpect.EOF)
    assert "p@ss" not in talk.before  # typed blind, and not repeated
    assert talk.exit_code() == 0
    made = _settings(place)
    assert made["RTSP_URL"] == f"rtsp://viewer:p%40ss%2Fw%23rd%241%27%2541@127.0.0.1:{camera}/stream1"
    assert not {"COMPOSE_PROFILES", "YOLO_MODEL", "WITH_YOLOV8N"} & set(made)


def test_no_url_at_the_terminal_is_the_demo(place: Path) -> None:
    talk = _talk(place)
    talk.expect("Address")
    talk.sendline("")
    talk.expect("drawn street")
    talk.expect(pexpect.EOF)
    assert talk.exit_code() == 0
    assert _settings(place)["RTSP_URL"] == "rtsp://camera:8554/stream"


@pytest.mark.parametrize("answer", ["", "n", "no"])
def test_at_the_terminal_it_asks_before_it_replaces(place: Path, answer: str) -> None:
    (place / ".env").write_text("mine\n")
    talk = _talk(place, "--demo")
    talk.expect("Replace it")
    talk.sendline(answer)
    talk.expect("nothing was written")
    talk.expect(pexpect.EOF)
    assert talk.exit_code() == 2
    assert (place / ".env").read_text() == "mine\n"


def test_an_interrupt_at_the_terminal_leaves_nothing(place: Path) -> None:
    talk = _talk(place)
    talk.expect("Address")
    talk.sendintr()
    talk.expect("nothing was written")
    talk.expect(pexpect.EOF)
    assert talk.exit_code() == 1
    assert not (place / ".env").exists()


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("rtsp://u:p@127.0.0.1:1/s", "rtsp://u:p@127.0.0.1:1/s"),
        ("RTSP://u:p@127.0.0.1:1/s", "rtsp://u:p@127.0.0.1:1/s"),
        ("rtsp://u:p%40ss@127.0.0.1:1/s", "rtsp://u:p%40ss@127.0.0.1:1/s"),
        ("rtsp://u:p@ss:w/r#d@127.0.0.1:1/s", "rtsp://u:p%40ss%3Aw%2Fr%23d@127.0.0.1:1/s"),
        ("rtsp://u:100%@127.0.0.1:1/s", "rtsp://u:100%25@127.0.0.1:1/s"),
        ("rtsp://u:a$HOME@127.0.0.1:1/s", "rtsp://u:a%24HOME@127.0.0.1:1/s"),
        ("rtsp://u:a'b@127.0.0.1:1/s", "rtsp://u:a%27b@127.0.0.1:1/s"),
        ("http://127.0.0.1:1/video?x=1&y=2", "http://127.0.0.1:1/video?x=1&y=2"),
    ],
)
def test_a_url_is_written_so_that_capture_understands_it(place: Path, given: str, written: str) -> None:
    done = _run(place, "--camera", given, "--yes")
    assert done.returncode == 0, done.stderr
    made = _settings(place)
    assert made["RTSP_URL"] == written
    assert "nobody answers there now" in done.stdout
    assert cameras_from_env(made)[0].url == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--camera", "ftp://127.0.0.1/x"), "begins with rtsp://"),
        (("--camera", "rtsp://u:secret@"), "no usable host"),
        (("--camera", "rtsp://127.0.0.1:99999/x"), "no usable host or port"),
        (("--camera", "rtsp://127.0.0.1:0/x"), "port 0"),
        (("--cameras", "nowhere.toml"), "no such file"),
        (("--worker", "head"), "give REDIS_PASSWORD"),
        ((), "--yes needs one of"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(place: Path, arguments: tuple[str, ...], message: str) -> None:
    done = _run(place, *arguments, "--yes")
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "secret" not in done.stderr
    assert not (place / ".env").exists()


def test_a_file_of_cameras_goes_into_a_folder_of_its_own(place: Path) -> None:
    given = place / "mine.toml"
    given.write_text('[door]\nurl = "rtsp://u:p@127.0.0.1/s"\n')
    assert _run(place, "--cameras", "mine.toml", "--yes").returncode == 0
    made = _settings(place)
    assert made["CAMERAS_FILE"] == "./cameras"
    assert "RTSP_URL" not in made
    target = place / "cameras" / "cameras.toml"
    assert target.read_bytes() == given.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    assert cameras_from_env({"CAMERAS_FILE": str(place / made["CAMERAS_FILE"])})[0].name == "door"

    # that file itself, or its folder, is no copy; another one is kept before it is replaced
    assert _run(place, "--cameras", "cameras/cameras.toml", "--yes", "--force").returncode == 0
    assert _run(place, "--cameras", "cameras", "--yes", "--force").returncode == 0
    before = target.read_text()
    given.write_text('[yard]\nurl = "rtsp://127.0.0.1/s"\n')
    assert _run(place, "--cameras", "mine.toml", "--yes", "--force").returncode == 0
    assert target.read_bytes() == given.read_bytes()
    assert (place / "cameras" / "cameras.toml.old").read_text() == before


def test_one_camera_again_ends_the_file_of_cameras(place: Path) -> None:
    (place / "mine.toml").write_text('[door]\nurl = "rtsp://127.0.0.1/s"\n')
    _run(place, "--cameras", "mine.toml", "--yes")
    _run(place, "--camera", "rtsp://127.0.0.1:1/s", "--yes", "--force")
    made = _settings(place)
    assert "CAMERAS_FILE" not in made
    assert made["RTSP_URL"] == "rtsp://127.0.0.1:1/s"


def test_a_further_machine_gets_the_redis_and_no_camera(place: Path) -> None:
    done = _run(place, "--worker", "head.lan", "--yes", REDIS_PASSWORD="pass $word")
    assert done.returncode == 0, done.stderr
    made = _settings(place)
    assert made["REDIS_PASSWORD"] == "pass $word"
    assert made["RDS_HOST"] == "head.lan"
    assert made["COMPOSE_FILE"] == "docker-compose.yml:docker-compose.worker.yml"
    assert "RTSP_URL" not in made
    assert "First: mount the clips of head.lan" in done.stdout
    steps = [
        "mkdir -p certs && scp head.lan:vcam/certs/ca.crt certs/",
        "docker compose build base video-worker",
        "docker compose up -d",
    ]
    assert f"Next:  {' && '.join(steps)}" in done.stdout
    (place / "certs").mkdir()
    (place / "certs" / "ca.crt").touch()
    done = _run(place, "--worker", "head.lan", "--clips", "/mnt/vcam/video", "--yes", "--force")
    assert done.returncode == 0, done.stderr
    assert "First:" not in done.stdout
    assert f"Next:  {' && '.join(steps[1:])}" in done.stdout
    assert _settings(place)["CLIPS"] == "/mnt/vcam/video"
    assert _settings(place)["REDIS_PASSWORD"] == "pass $word"


def test_a_folder_of_someone_elses_is_reported_with_the_remedy(place: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(place, Path(name) / "vcam"))
        (folder / "video").mkdir(mode=0o555)
        for one in (Path(name), folder):
            one.chmod(0o755)
        # root may write everywhere, so root becomes somebody else, with a Python that anybody may start
        as_root = os.getuid() == 0
        done = subprocess.run(
            ["/usr/bin/python3" if as_root else sys.executable, "scripts/env", "--demo", "--yes"],
            cwd=folder,
            user=65534 if as_root else None,
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 2
        assert re.search(r"video cannot be written to by you: sudo chown -R \d+:\d+ ", done.stderr)
        assert not (folder / ".env").exists()


def test_what_it_makes_is_read_by_compose_as_it_was_meant(place: Path) -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker command here")
    (place / "docker-compose.yml").write_text("services: {x: {image: x, environment: {U: '${RTSP_URL}', T: '${TZ}'}}}")
    _run(place, "--camera", "rtsp://u:a$HOME'#b@127.0.0.1:1/s", "--yes")
    shown = subprocess.run(
        ["docker", "compose", "config"],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )
    if "is not a docker command" in shown.stderr:
        pytest.skip("the docker command here has no compose v2")
    assert "rtsp://u:a%24HOME%27%23b@127.0.0.1:1/s" in shown.stdout, shown.stderr
