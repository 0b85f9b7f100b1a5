"""Names that our web servers answer to, against DNS rebinding.

A page elsewhere can point its own name at an address that a browser here reaches, and then read what that address
serves as if it were its own. The ``Host`` header reveals the foreign name. An IP address in it is safe: no name was
looked up.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from shared_utils.config.env import get_text
from shared_utils.config.setting import Setting
from shared_utils.errors import SettingError

SERVICES = ("capture", "jupyter", "console")
"""Names of the web servers within the compose network."""
_CONTAINER = re.compile(rf"[a-z0-9_-]+-(?:{'|'.join(SERVICES)})-[0-9]+")
"""A container's name as compose makes it, ``vcam-capture-1``. It has no dot, so nobody else can own it."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62}\.)*[a-z0-9_-]{0,62}")


def parse_names(text: str) -> frozenset[str]:
    """Return the names that are always ours, and those of `text`, the value of ``HTTP_NAMES``.

    Raises:
        SettingError: one of them is not a name.
    """
    given = text.replace(",", " ").lower().split()
    for name in given:
        if not _NAME.fullmatch(name.rstrip(".")):
            raise SettingError(
                f"HTTP_NAMES holds {name!r}: give names as in the browser's address bar, such as vcam.lan, "
                "without http:// and port, with commas between them"
            )
    return frozenset({"localhost", *SERVICES, socket.gethostname().lower(), *(name.rstrip(".") for name in given)})


HTTP_NAMES = Setting("HTTP_NAMES", "names under which browsers reach this machine", parse=parse_names)


def own_names(values: Mapping[str, str]) -> frozenset[str]:
    """Return the names that are always ours, and those of ``HTTP_NAMES``.

    Raises:
        SettingError: one of them is not a name.
    """
    return parse_names(get_text(values, HTTP_NAMES.name) or "")


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Tell whether a ``Host`` header names this server: by one of `names`, or by an IP address; any port will do."""
    if re.search(r"[\s@/\\?#]", host):
        return False
    try:
        parts = urlsplit(f"//{host}")
        name, _ = (parts.hostname or "").rstrip("."), parts.port
        if name in names or name.endswith(".localhost") or _CONTAINER.fullmatch(name):
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
