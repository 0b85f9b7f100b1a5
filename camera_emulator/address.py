"""The URL to serve at, parsed from the ``--url`` argument."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared_utils.errors import SettingError

RTSP_PATH = "/stream"  # the only mount point of rtsp-rs
HTTP_PATH = "/video"

_PATHS = {"rtsp": RTSP_PATH, "http": HTTP_PATH}
_PORTS = {"rtsp": 554, "http": 80}
_EXAMPLE = "rtsp://127.0.0.1:8554/stream or http://127.0.0.1:8080/video"


@dataclass(frozen=True)
class Address:
    """Where to listen: ``scheme`` is ``rtsp`` or ``http``; ``ip`` is the resolved ``host``, to bind to."""

    scheme: str
    host: str
    ip: str
    port: int

    @property
    def url(self) -> str:
        """The URL as a viewer writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{_PATHS[self.scheme]}"


def parse_address(url: str) -> Address:
    """Read ``rtsp://HOST[:PORT]/stream`` or ``http://HOST[:PORT]/video``.

    Raises SettingError, with the remedy, for anything else, and for an unknown host name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingError(f"--url {url} cannot be read ({error}): give {_EXAMPLE}") from None
    if parts.scheme not in _PATHS:
        raise SettingError(f"--url {url} must begin with rtsp:// or http://, as in {_EXAMPLE}")
    if not parts.hostname:
        raise SettingError(f"--url {url} names no host: give {_EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise SettingError("--url must not carry a user name or password: the emulated camera asks for none")
    if port == 0:
        raise SettingError(f"--url {url}: the port must be from 1 to 65535")
    path = _PATHS[parts.scheme]
    if parts.path != path or parts.query or parts.fragment:
        raise SettingError(f"--url {url}: {parts.scheme} is served at {path} only, as in {_EXAMPLE}")
    # rtsp-rs sends its packets over IPv4 only.
    ip = _resolve(parts.hostname, socket.AF_INET if parts.scheme == "rtsp" else socket.AF_UNSPEC)
    return Address(parts.scheme, parts.hostname, ip, port or _PORTS[parts.scheme])


def listen_error(address: Address, error: OSError) -> SettingError:
    """Return the error that says why nothing can listen at this address, and what to do."""
    place = f"--url {address.url}"
    if error.errno == errno.EADDRINUSE:
        return SettingError(f"{place}: port {address.port} is in use; stop the other program or choose another port")
    if error.errno == errno.EACCES:
        return SettingError(f"{place}: port {address.port} needs more rights; choose a port above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        return SettingError(f"{place}: {address.host} is no address of this machine; give 127.0.0.1 or 0.0.0.0")
    return SettingError(f"{place}: cannot listen there ({error.strerror or error}); give another address")


def _resolve(host: str, family: socket.AddressFamily) -> str:
    """Return the IP address of the host, IPv4 before IPv6, as viewers of a camera mostly use IPv4."""
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        kind = "IPv4 host" if family == socket.AF_INET else "host"
        raise SettingError(f"--url: {host} is no {kind} known here; give 127.0.0.1 or 0.0.0.0") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])
