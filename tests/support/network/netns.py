"""Two hosts on one cable: network namespaces of Linux, which only root can make."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.support.programs import Program, Programs

NETWORKS = {"IPv4": ("10.99.77.{}", 24), "IPv6": ("fd99:77::{}", 64)}


@dataclass(frozen=True)
class NetHost:
    """A host with its own interfaces and addresses.

    Attributes:
        namespace, interface: their names.
        addresses: by ``IPv4`` and ``IPv6``.
    """

    namespace: str
    interface: str
    addresses: Mapping[str, str]

    def start(self, programs: Programs, *command: str, env: Mapping[str, str] | None = None) -> Program:
        """Start a program on this host."""
        return programs.start("ip", "netns", "exec", self.namespace, *command, env=env)


@contextmanager
def two_hosts() -> Iterator[tuple[NetHost, NetHost]]:
    """Give two hosts that reach each other; the test is skipped where they cannot be made."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and the command ip (iproute2)")
    hosts = [_host(number) for number in (1, 2)]
    try:
        for one in hosts:
            _ip("netns", "add", one.namespace)
        _ip("link", "add", hosts[0].interface, "netns", hosts[0].namespace, "type", "veth",
            "peer", "name", hosts[1].interface, "netns", hosts[1].namespace)  # fmt: skip
        for one in hosts:
            inside = ("-n", one.namespace)
            _ip(*inside, "link", "set", "lo", "up")
            for family, (_, bits) in NETWORKS.items():
                more = ["nodad"] if family == "IPv6" else []
                _ip(*inside, "addr", "add", f"{one.addresses[family]}/{bits}", "dev", one.interface, *more)
            _ip(*inside, "link", "set", one.interface, "up")
        yield hosts[0], hosts[1]
    finally:
        for one in hosts:
            subprocess.run(["ip", "netns", "del", one.namespace], check=False, capture_output=True)


def _host(number: int) -> NetHost:
    addresses = {family: address.format(number) for family, (address, _) in NETWORKS.items()}
    return NetHost(f"vcam{os.getpid()}-{number}", f"v{os.getpid()}-{number}", addresses)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"network namespaces cannot be made here: {done.stderr.strip()}")
