"""Cookies of one host for one session, as some servers of HLS tell viewers apart by them (RFC 6265). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_COOKIES, MAX_COOKIE_BYTES = 20, 4096
"""Most cookies, and most bytes of one; browsers keep 50 of 4096 bytes per host."""
_PAIR = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*)")
"""Name and value, without what a header may not hold (RFC 6265, 4.1.1)."""


class Cookies:
    """Keeps the cookies that a host sets, and returns them to it; paths and expiry are ignored."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def take(self, headers: Iterable[str]) -> None:
        """Take the ``Set-Cookie`` lines of an answer; what is malformed or too much is ignored."""
        for line in headers:
            found = _PAIR.fullmatch(line.partition(";")[0].strip())
            if not found or len(found[0]) > MAX_COOKIE_BYTES:
                continue
            if not found[2]:
                self._values.pop(found[1], None)
            elif found[1] in self._values or len(self._values) < MAX_COOKIES:
                self._values[found[1]] = found[2]

    def header(self) -> str:
        """Return the value of ``Cookie``; empty without one."""
        return "; ".join(f"{name}={value}" for name, value in self._values.items())
