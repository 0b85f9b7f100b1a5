"""The compose file run as a project of its own, beside any pipeline of the user's: for tests and the soak.

Name, secrets, ports, volumes, image tags and folders are its own. Only the base image is shared, which is built as
the user's ``.env`` says, so that it stays what it was.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from devtools.paths import ROOT
from shared_utils.errors import SettingError, VcamError

COMPOSE_FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
USER_SETTINGS = ROOT / ".env"
BUILD_SETTINGS = ("WITH_YOLOV8N",)
"""What of the user's ``.env`` the base image depends on."""
INHERITED = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_BUILDKIT", "PIP_EXTRA_INDEX_URL")
OWN_IMAGES = ("capture", "video-worker", "jupyter")

UP_TIMEOUT_S = 300
STEP_TIMEOUT_S = 600.0
"""Longest any one docker command may take: a build on a slow machine."""
POLL_S = 0.3
CONTAINER_USER = 1000
"""Who the services run as where root starts them: they refuse to be root."""


@dataclass(frozen=True)
class Secrets:
    """Secrets that are easy to search for, with every character that some tool might mishandle."""

    redis: str = field(default_factory=lambda: f'Kestrel{secrets.token_hex(8)} "p@ss$w/r:d\\#%')
    jupyter: str = field(default_factory=lambda: f"Osprey{secrets.token_hex(12)}")
    camera: str = field(default_factory=lambda: f"Merlin{secrets.token_hex(8)}@/:#?%+&")

    def camera_url(self, host: str) -> str:
        """Return the URL of the emulated camera at `host`, which accepts any password."""
        return f"rtsp://viewer:{quote(self.camera, safe='')}@{host}:8554/stream"


def needs_docker() -> str | None:
    """Return why no compose project can be run here, or None."""
    for command, remedy in (
        (["docker", "compose", "version"], "needs the docker command with compose v2"),
        (["docker", "info"], "no Docker engine answers; see DOCKER_HOST"),
    ):
        if not shutil.which("docker") or subprocess.run(command, check=False, capture_output=True).returncode:
            return remedy
    return None


class Project:
    """A compose project.

    Args:
        folder: for its files: settings, override, ``video/``, ``notebooks/``.
        settings: those that differ from ``.env.example``.
        override: services as the compose file's schema has them; what is mounted at the same place replaces the
            compose file's own mount.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], override: Mapping[str, Any] | None = None) -> None:
        self.name = f"vcam-e2e-{os.getpid()}"
        self.folder = folder
        self.video = folder / "video"
        self.notebooks = folder / "notebooks"
        self.secrets = Secrets()
        self._began = time.monotonic()
        self._logs: dict[str, str] = {}
        is_root = os.getuid() == 0
        self.uid = CONTAINER_USER if is_root else os.getuid()
        self.gid = CONTAINER_USER if is_root else os.getgid()
        for made in (self.video, self.notebooks):
            made.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            ROOT / "notebooks",
            self.notebooks,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
        folder.chmod(0o755)
        self.give(self.video, self.notebooks)
        # a copy, so that all of a run is of one file, whoever edits it meanwhile
        self.compose_file = folder / COMPOSE_FILE.name
        shutil.copyfile(COMPOSE_FILE, self.compose_file)
        self._settings = dict(settings)
        self._override = dict(override or {})
        self.configure()

    def setting(self, name: str) -> str:
        """Return a setting of those that differ from ``.env.example``; empty for another one."""
        return self._settings.get(name, "")

    def configure(self, settings: Mapping[str, str] | None = None, override: Mapping[str, Any] | None = None) -> None:
        """Write settings and override anew, with what is to change; ``up`` puts it into effect."""
        self._settings |= settings or {}
        self._override |= override or {}
        own = {
            **_build_settings(),
            "REDIS_PASSWORD": self.secrets.redis,
            "JUPYTER_TOKEN": self.secrets.jupyter,
            "UID": str(self.uid),
            "GID": str(self.gid),
            "JUPYTER_PORT": "0",
            "HTTP_PORT": "0",
            **self._settings,
        }
        # single quotes: compose takes what is between them as it stands
        lines = [f"{name}='{value}'" for name, value in own.items()]
        file = self.folder / "env"
        file.write_text(EXAMPLE.read_text() + "\n" + "\n".join(lines) + "\n")
        file.chmod(0o600)
        services: dict[str, dict[str, Any]] = {
            "capture": {"image": self.image("capture"), "volumes": [f"{self.video}:/video"]},
            "camera": {"image": self.image("capture")},
            "video-worker": {"image": self.image("video-worker"), "volumes": [f"{self.video}:/video"]},
            "live": {"image": self.image("video-worker"), "volumes": [f"{self.video}:/video"]},
            "jupyter": {
                "image": self.image("jupyter"),
                "volumes": [f"{self.video}:/lab/video", f"{self.notebooks}:/lab/notebooks"],
            },
        }
        for name, part in self._override.items():
            services[name] = {**services.get(name, {}), **part}
        # JSON is YAML
        (self.folder / "override.yml").write_text(json.dumps({"services": services}, indent=1))

    def image(self, service: str) -> str:
        """Return the tag of a service's image, which no pipeline of the user's has."""
        return f"{self.name}-{service}"

    def give(self, *paths: Path) -> None:
        """Make what lies at `paths` belong to the user that the services run as."""
        if os.getuid() != 0:
            return
        for path in paths:
            for one in (path, *path.rglob("*")):
                os.chown(one, self.uid, self.gid)

    def say(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        print(f"== {time.monotonic() - self._began:5.0f} s  {text}", file=sys.__stdout__, flush=True)

    # -- docker

    def compose(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """Run ``docker compose`` over the project; return its stdout.

        Raises:
            VcamError: it failed; the message has its output.
        """
        files = ["-f", str(self.compose_file), "-f", str(self.folder / "override.yml")]
        return docker(
            "compose",
            "-p",
            self.name,
            "--project-directory",
            str(ROOT),
            "--env-file",
            str(self.folder / "env"),
            *files,
            *arguments,
            check=check,
            stdin=stdin,
        )

    def build(self) -> None:
        """Build the images, the base first."""
        self.compose("build", "--quiet", "base")
        self.compose("build", "--quiet")

    def up(self, *arguments: str) -> None:
        """Start what is not running as configured, and wait until all of it is healthy."""
        self.compose("up", "-d", "--wait", "--wait-timeout", str(UP_TIMEOUT_S), *arguments)

    def down(self, *arguments: str) -> None:
        """End it."""
        self.compose("down", *arguments)

    def clean(self) -> None:
        """End it, and leave neither volumes nor images of it."""
        self.compose("down", "-v", "--remove-orphans", "--timeout", "5", check=False)
        docker("image", "rm", *(self.image(service) for service in OWN_IMAGES), check=False)

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of a service's running containers; of all of them without a service."""
        return self.compose("ps", "-q", *([service] if service else [])).split()

    def container(self, service: str) -> str:
        """Return the id of a service's only container."""
        (found,) = self.containers(service)
        return found

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what ``docker inspect`` prints about a container."""
        found: dict[str, Any] = json.loads(docker("inspect", container))[0]
        return found

    def exec(self, service: str, *command: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a command in a service's container; return its stdout."""
        options = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
        return self.compose("exec", "-T", *options, service, *command, stdin=stdin)

    def python(self, service: str, code: str, *arguments: str) -> str:
        """Run Python code in a service's container; return its stdout."""
        return self.exec(service, "python", "-c", code, *arguments)

    def redis(self, *command: str) -> str:
        """Return what Redis answers to a command."""
        return self.exec("redis", "redis-cli", "--no-auth-warning", *command).strip()

    def kill(self, pid: int) -> None:
        """``kill -9`` a process of the engine's host, as the kernel's OOM killer does: not ``docker kill``, after
        which the engine starts nothing again."""
        if os.getuid() == 0 and Path(f"/proc/{pid}").exists():
            os.kill(pid, 9)
            return
        image = self.image("capture")
        docker("run", "--rm", "--pid", "host", "--user", "0:0", "--entrypoint", "kill", image, "-9", str(pid))

    def main_pid(self, container: str) -> int:
        """Return the process id, on the engine's host, of a container's first process."""
        return int(self.inspect(container)["State"]["Pid"])

    # -- logs and health

    def logs(self, service: str) -> str:
        """Return all output of a service, also of containers that are gone if :meth:`keep_logs` was called."""
        return self._logs.get(service, "") + self.compose("logs", "--no-color", "--no-log-prefix", service)

    def keep_logs(self, *services: str) -> None:
        """Keep the output of services, before their containers are replaced."""
        for service in services:
            self._logs[service] = self.logs(service)

    def sick(self) -> list[str]:
        """Return what is wrong with each container that is not running and healthy."""
        found = []
        for row in _rows(self.compose("ps", "-a", "--format", "json")):
            if row["State"] != "running" or row["Health"] != "healthy":
                found.append(f"{row['Name']} is {row['State']} {row['Health']}".strip())
        return found

    def wait_healthy(self, seconds: float = UP_TIMEOUT_S) -> None:
        """Wait until every container runs and is healthy."""
        wait_for(lambda: not self.sick(), seconds, lambda: "; ".join(self.sick()))

    def dump(self, lines: int = 40) -> None:
        """Print state and last words of every service."""
        print(self.compose("ps", "-a", check=False), file=sys.__stdout__)
        print(self.compose("logs", "--no-color", "--tail", str(lines), check=False), file=sys.__stdout__)


def docker(*arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run docker with nothing of the caller's settings; return its stdout.

    Raises:
        VcamError: it failed; the message has its output.
    """
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=env,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=STEP_TIMEOUT_S,
    )
    if check and done.returncode:
        shown = " ".join(word for word in arguments if len(word) < 60)
        raise VcamError(f"docker {shown}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def wait_for(condition: Callable[[], Any], seconds: float, what: Callable[[], str] | str, every: float = POLL_S) -> Any:
    """Return what `condition` returns as soon as that is true.

    Raises:
        VcamError: it is not within `seconds`; `what` says what is missing.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise VcamError(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(every)


def temporary_folder() -> Path:
    """Return a new folder that the services' user can enter."""
    return Path(tempfile.mkdtemp(prefix="vcam-e2e.")).resolve()


def remove_folder(folder: Path) -> None:
    """Remove a folder of a project."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _build_settings() -> dict[str, str]:
    if not USER_SETTINGS.is_file():
        return {}
    text = USER_SETTINGS.read_text(errors="replace")
    found = (re.search(rf"^{name}=[\"']?(\w*)", text, re.MULTILINE) for name in BUILD_SETTINGS)
    return {name: match[1] for name, match in zip(BUILD_SETTINGS, found, strict=True) if match}


def _rows(text: str) -> Sequence[dict[str, Any]]:
    # one list, or, from compose 2.21 on, an object a line
    if text.lstrip().startswith("["):
        rows: list[dict[str, Any]] = json.loads(text)
        return rows
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def require_docker() -> None:
    """Raise where no compose project can be run.

    Raises:
        SettingError: why.
    """
    missing = needs_docker()
    if missing:
        raise SettingError(missing)
