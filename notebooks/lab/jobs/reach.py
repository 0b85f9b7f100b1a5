"""Keeps downloads from public URLs out of our own networks, whatever they redirect to.

A page or a redirect elsewhere decides on further addresses, and Jupyter reaches what they do not: this machine's
programs, the router, the cameras. The rule holds at the socket, where names are resolved and no library's redirect,
playlist or page can get around it.
"""

from __future__ import annotations

import errno
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared_utils.errors import VcamError
from shared_utils.networks import is_inside

Judge = Callable[[str], bool]
"""Tells whether an IP address belongs to a network that strangers do not reach."""


@dataclass
class _Rule:
    judge: Judge
    allowed: frozenset[str]
    refused: str | None = None


_rule: ContextVar[_Rule | None] = ContextVar("rule", default=None)
"""In force in the thread that downloads, and in no other."""


class ForbiddenHostError(VcamError):
    """A public address leads to a host of our own networks; the text is the host's address."""


@contextmanager
def from_here(url: str, judge: Judge = is_inside) -> Iterator[None]:
    """Have this thread connect to no host inside of our networks, unless `url`, which a person gave, is there itself.

    Args:
        url: where the download begins.
        judge: decides which addresses are inside.

    Raises:
        ForbiddenHostError: it failed as such a host was to be connected to.
    """
    if any(judge(one) for one in _addresses(urlsplit(url).hostname)):
        yield
        return
    proxies = [urlsplit(one if "://" in one else f"//{one}").hostname for one in urllib.request.getproxies().values()]
    rule = _Rule(judge, frozenset(one for proxy in proxies for one in _addresses(proxy)))
    token = _rule.set(rule)
    try:
        yield
    except Exception:
        if rule.refused:  # libraries make all kinds of errors of it
            raise ForbiddenHostError(rule.refused) from None
        raise
    finally:
        _rule.reset(token)


def _addresses(host: str | None) -> set[str]:
    found: set[str] = set()
    with suppress(OSError, UnicodeError):  # who connects to it says that it is not known
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None)} if host else found
    return found


def _audit_connect(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    rule, address = _rule.get(), arguments[1]
    if rule is None or not isinstance(address, tuple):
        return
    host = str(address[0])
    if host not in rule.allowed and rule.judge(host):
        rule.refused = host
        raise PermissionError(errno.EACCES, "a host of our own networks")


sys.addaudithook(_audit_connect)
