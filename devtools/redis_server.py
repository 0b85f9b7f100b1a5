"""A real Redis of a test's own: on a free port, with a password, files in the test's folder."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis

from devtools.parts import free_port, redis_binary
from shared_utils.config.env import RedisSettings
from shared_utils.queue.jobs import connect

PASSWORD = "test-pass@word:1"  # awkward on purpose: it must never show up anywhere
START_SECONDS = 20


@dataclass
class RedisServer:
    """A Redis process. `stop` and `start` again keep port, password and (by append-only file) data."""

    folder: Path
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    password: str = PASSWORD
    process: subprocess.Popen[bytes] | None = None
    clients: list[redis.Redis] = field(default_factory=list)

    @property
    def settings(self) -> RedisSettings:
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
        self.folder.mkdir(parents=True, exist_ok=True)
        # the configuration goes in by stdin, so that the password is in no process list
        lines = [
            f"bind {self.host}",
            f"port {self.port}",
            f'requirepass "{self.password}"',
            f"dir {self.folder}",
            "appendonly yes",
            "appendfsync always",
            'save ""',
        ]
        self.process = subprocess.Popen([redis_binary(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self.process.stdin
        self.process.stdin.write("\n".join(lines).encode())
        self.process.stdin.close()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.connection().ping():
                    return
            except redis.RedisError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def stop(self) -> None:
        while self.clients:
            self.clients.pop().close()
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
