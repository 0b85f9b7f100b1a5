"""Two machines as two compose projects: they share Redis' TLS port and the folder of clips, and no network.

Run by name, since it builds images and takes a minute: scripts/test tests/compose/test_two_hosts.py
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devtools.paths import ROOT
from shared_utils.contracts.detections_log import read_records

pytestmark = pytest.mark.container

COPIED = (
    "docker-compose*.yml",
    "Dockerfile.*",
    "requirements.*.txt",
    "constraints.txt",
    ".dockerignore",
    ".env.example",
)
CODE = ("shared_utils", "vcam_worker", "video_worker", "camera_emulator")
SCRIPTS = ("env", "_env.py", "certs")
INHERITED = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_BUILDKIT", "PIP_EXTRA_INDEX_URL")
TIMEOUT_S = 120
JOBS = 12


@dataclass
class Machine:
    """A folder with what a user has there, and its compose project."""

    name: str
    folder: Path
    files: tuple[str, ...]
    own_images: dict[str, str] = field(default_factory=dict)

    def copy(self) -> None:
        for pattern in COPIED:
            for path in ROOT.glob(pattern):
                self.folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.folder)
        for name in CODE:
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "scripts").mkdir()
        for name in SCRIPTS:
            shutil.copy(ROOT / "scripts" / name, self.folder / "scripts")
        services = {service: {"image": image} for service, image in self.own_images.items()}
        (self.folder / "images.yml").write_text(json.dumps({"services": services}))

    def script(self, *command: str, **environment: str) -> None:
        subprocess.run([sys.executable, *command], cwd=self.folder, env={**_kept(), **environment}, check=True)

    def set(self, **settings: str) -> None:
        with (self.folder / ".env").open("a") as file:
            file.writelines(f"{name}='{value}'\n" for name, value in settings.items())

    def compose(self, *arguments: str, check: bool = True) -> str:
        files = [word for name in (*self.files, "images.yml") for word in ("-f", name)]
        return _docker("compose", "-p", self.name, *files, *arguments, cwd=self.folder, check=check)

    def container(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(_docker("inspect", self.compose("ps", "-q", service).split()[0]))[0]
        return found

    def python(self, service: str, code: str, *arguments: str) -> str:
        return self.compose("exec", "-T", service, "python", "-c", code, *arguments).strip()


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _docker(*arguments: str, cwd: Path = ROOT, check: bool = True) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        cwd=cwd,
        env=_kept(),
        check=False,
        capture_output=True,
        text=True,
        timeout=10 * TIMEOUT_S,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)[:200]}: {done.stderr[-2000:]}"
    return done.stdout + ("" if check else done.stderr)


def _wait(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {TIMEOUT_S} s: {what}"
        time.sleep(0.3)
    return found


def _engine_address() -> str:
    """Return the engine's own address, as containers of any network reach it."""
    (config,) = json.loads(_docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"]
    return str(config.get("Gateway") or next(ipaddress.ip_network(config["Subnet"]).hosts()))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """The head with camera, capture and Redis; and another one with two workers."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    folder = Path("/tmp") / f"vcam-two-hosts-{secrets.token_hex(4)}"
    tag = folder.name
    images = {"capture": f"{tag}-capture", "camera": f"{tag}-capture", "video-worker": f"{tag}-worker"}
    head = Machine(f"{tag}-head", folder / "head", ("docker-compose.yml", "docker-compose.share.yml"), images)
    other = Machine(
        f"{tag}-other",
        folder / "other",
        ("docker-compose.yml", "docker-compose.worker.yml"),
        {"video-worker": images["video-worker"]},
    )
    for machine in (head, other):
        machine.copy()
    try:
        address = _engine_address()
        head.script("scripts/env", "--demo", "--yes")
        head.set(CLIP_SECONDS="10", PRE_ROLL_SECONDS="2", HTTP_PORT="0", REDIS_BIND=address, REDIS_TLS_PORT="0")
        subprocess.run(["scripts/certs", address], cwd=head.folder, check=True, capture_output=True)
        if not _docker("images", "-q", "data-pipeline-base"):
            head.compose("build", "--quiet", "base")
        head.compose("build", "--quiet", "capture", "video-worker")
        head.compose("up", "-d", "--wait", "redis", "capture", "camera")

        environment = head.container("redis")["Config"]["Env"]
        password = next(one.partition("=")[2] for one in environment if one.startswith("REDISCLI_AUTH="))
        port = head.compose("port", "redis", "6380").strip().rpartition(":")[2]
        other.script("scripts/env", "--worker", address, "--yes", REDIS_PASSWORD=password)
        other.set(RDS_PORT=port, YOLO_MODEL="scene.onnx", CLIPS=str(head.folder / "video"))
        (other.folder / "certs").mkdir(mode=0o700)
        shutil.copy(head.folder / "certs" / "ca.crt", other.folder / "certs")
        other.compose("up", "-d", "--wait", "--scale", "video-worker=2")
        yield head, other
    finally:
        left = [machine.compose("down", "-v", "--timeout", "5", check=False) for machine in (head, other)]
        _docker("image", "rm", *sorted(set(images.values())), check=False)
        shutil.rmtree(folder)
    assert not _docker("ps", "-aq", "--filter", f"name={tag}"), left


def _lines(head: Machine) -> list[dict[str, Any]]:
    return list(read_records(head.folder / "video" / "detections_log.jsonl"))


SUBMIT = """
import os, sys
from shared_utils.config.redis import RedisSettings
from shared_utils.queue.jobs import clip_queue, connect, submit
settings = RedisSettings.from_env(os.environ)
queue = clip_queue(settings, connect(settings))
for _ in range(int(sys.argv[2])):
    submit(sys.argv[1], queue=queue)
"""


def test_clips_of_one_machine_are_analysed_on_the_other_by_several_workers(machines: tuple[Machine, Machine]) -> None:
    head, other = machines
    first = _wait(lambda: next((line for line in _lines(head) if line["ok"]), None), "an analysed clip")
    head.python("capture", SUBMIT, first["filename"], str(JOBS))
    _wait(lambda: len([line for line in _lines(head) if line["filename"] == first["filename"]]) > JOBS, "all runs")
    runs = [line["run_id"] for line in _lines(head)]
    assert len(runs) == len(set(runs))
    assert all(line["ok"] for line in _lines(head))
    output = other.compose("logs", "--no-color", "video-worker")
    worked = {line.split()[0] for line in output.splitlines() if ": found" in line}
    assert len(worked) == 2, output[-2000:]
    assert not head.compose("ps", "-q", "video-worker").strip()


def test_they_share_redis_tls_port_and_the_clips_and_nothing_else(machines: tuple[Machine, Machine]) -> None:
    head, other = machines
    networks = [
        set(machine.container(service)["NetworkSettings"]["Networks"])
        for machine, service in ((head, "redis"), (head, "capture"), (other, "video-worker"))
    ]
    assert not networks[2] & (networks[0] | networks[1])
    mounts = {mount["Destination"]: mount for mount in other.container("video-worker")["Mounts"]}
    assert set(mounts) == {"/video", "/models", "/plugins", "/tls/ca.crt"}
    assert [path for path, mount in mounts.items() if mount["RW"]] == ["/video"]
    assert mounts["/video"]["Source"] == str(head.folder / "video")
    published = head.container("redis")["NetworkSettings"]["Ports"]
    assert [port for port, hosts in published.items() if hosts] == ["6380/tcp"]
    # by its own address in the other network, Redis is not reached at all
    inner = next(iter(head.container("redis")["NetworkSettings"]["Networks"].values()))["IPAddress"]
    reach = "import socket, sys; socket.create_connection((sys.argv[1], 6379), 2)"
    assert "rror" in other.compose("exec", "-T", "video-worker", "python", "-c", reach, inner, check=False)


def test_without_tls_the_password_or_the_right_authority_redis_says_nothing(machines: tuple[Machine, Machine]) -> None:
    _, other = machines
    ask = """
import dataclasses, os, sys
from pathlib import Path
from shared_utils.config.redis import RedisSettings
from shared_utils.errors import VcamError
from shared_utils.queue.jobs import connect, redis_errors
settings = dataclasses.replace(RedisSettings.from_env(os.environ), **eval(sys.argv[1]))
try:
    with redis_errors(settings):
        connect(settings).ping()
        print("answered")
except VcamError as error:
    print(type(error).__name__, error)
"""
    assert other.python("video-worker", ask, "{}") == "answered"
    assert "QueueUnavailable" in other.python("video-worker", ask, "{'tls': False}")
    refused = other.python("video-worker", ask, "{'ca': None}")
    assert "certificate verify failed" in refused
    assert "RDS_CA" in refused
    assert "SettingError RDS_PSW" in other.python("video-worker", ask, "{'password': 'wrong'}")
    assert "SettingError RDS_PSW" in other.python("video-worker", ask, "{'password': None}")


def test_a_missing_mount_or_certificate_is_reported_before_anything_starts(machines: tuple[Machine, Machine]) -> None:
    _, other = machines
    text = (other.folder / ".env").read_text()
    try:
        other.set(CLIPS=str(other.folder / "not-mounted"))
        assert "not-mounted" in other.compose("up", "-d", check=False)
        (other.folder / ".env").write_text(text.replace("CLIPS=", "#CLIPS="))
        output = other.compose("up", "-d", check=False)
        assert "give the folder in which the clips of the other machine are mounted" in output
    finally:
        (other.folder / ".env").write_text(text)
