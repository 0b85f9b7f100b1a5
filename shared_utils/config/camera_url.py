"""The URL of a camera as people type it: user and password raw or percent-encoded. Standard library only.

A password may hold ``@``, ``/``, ``#`` or ``?``, each of which ends the host part of a URL for every library
(RFC 3986, section 3.2). So user and password are taken to end at the ``@`` that a host follows, and are percent-encoded
here.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, urlsplit

SCHEMES = ("rtsp", "rtsps", "http", "https")

_ENCODED = re.compile(r"(?:[A-Za-z0-9._~!$&()*+,;=-]|%[0-9A-Fa-f]{2})*")
_HOST_NAME = re.compile(r"\w(?:[\w.-]*\w)?\.?")
_ENCODE_HINT = "special characters of the password percent-encoded (@ is %40, / is %2F, : is %3A, # is %23, ? is %3F)"


def clean_url(given: str) -> str:
    """Return a camera's URL with user and password percent-encoded; parts that are encoded already are kept.

    Raises:
        ValueError: it is not the URL of a camera; the text says why, without user and password.
    """
    scheme, separator, rest = given.strip().strip("\"'").partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        begins = f"begins with {scheme}://" if separator and re.fullmatch(r"[a-z][a-z0-9+.-]{0,15}", scheme) else ""
        raise ValueError(f"{begins or 'is no URL'}: use one of {', '.join(f'{one}://' for one in SCHEMES)}")
    account, place = _split(rest)
    if not _strength(place):
        # the text is not repeated: it may be part of the password
        raise ValueError(f"has no usable host or port: write {scheme}://USER:PASSWORD@HOST:PORT/PATH, {_ENCODE_HINT}")
    if urlsplit(f"//{re.split(r'[/?#]', place, maxsplit=1)[0]}").port == 0:
        raise ValueError("has port 0, which cannot be reached")
    if account is None:
        return f"{scheme}://{place}"
    user, colon, password = account.partition(":")
    return f"{scheme}://{encoded(user)}{colon}{encoded(password)}@{place}"


def encoded(text: str, *, raw: bool = False) -> str:
    """Return a user name or password percent-encoded; ``$`` too, which compose would take for a variable.

    Text that is encoded already is kept, unless it is known to be `raw`.
    """
    if not raw and _ENCODED.fullmatch(text):
        return text.replace("$", "%24")
    return quote(text, safe="")


def _split(rest: str) -> tuple[str | None, str]:
    """Return user and password (None without them), and the rest, which begins with the host.

    The path may hold an ``@`` as well (``/live/ch@1``). Of all places where the host may begin, the one where libraries
    find it is taken, unless a later one looks more like a host.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    standard = authority.rfind("@") + 1
    starts = [standard, *(match.end() for match in re.finditer("@", rest) if match.end() > standard)]
    best = max(starts, key=lambda start: (_strength(rest[start:], later=start != standard), -start))
    if not _strength(rest[best:]):
        best = starts[-1]
    return (rest[: best - 1] if best else None), rest[best:]


def _strength(place: str, *, later: bool = False) -> int:
    """Return how much the beginning of `place` looks like a host: 0 for not at all, the most for an IP address.

    A later place with a port counts for more, as a path seldom holds ``@name:port/``. The standard one counts for less
    if ``#`` or ``?`` follows at once, as no camera has such a path.
    """
    authority, end = re.match(r"([^/?#]*)([/?#]?)", place).groups()  # type: ignore[union-attr]  # always matches
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return 0
    strength = _host_strength(host)
    if not strength or "@" in authority or re.search(r"\s", place):
        return 0
    return strength + 5 * (later and port is not None) - (authority.endswith(":") or end in ("?", "#"))


def _host_strength(host: str) -> int:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST_NAME.fullmatch(host):
            return 0
        return 6 if "." in host.strip(".") or host == "localhost" else 2
    return 10
