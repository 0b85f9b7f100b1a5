"""Basic and Digest authentication (RFC 7617, 7616), as HTTP and RTSP share them. Pure but for the random nonce."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable

_SESSION = "-SESS"
"""Suffix of algorithms that mix the nonces into the hash of the password (RFC 7616, 3.4.2)."""
_HASHES = {"MD5": "md5", "MD5-SESS": "md5", "SHA-256": "sha256", "SHA-256-SESS": "sha256"}
_WORD = re.compile(r'([a-z][a-z0-9-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*)))?', re.I)
"""A parameter with its value, or an authentication scheme, which has none."""


class Credentials:
    """Answers a camera's authentication challenges.

    Args:
        user, password: decoded; with a `user` of None, challenges are not answered.
        nonce: returns the client's nonce.
    """

    def __init__(
        self, user: str | None, password: str | None, nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._user = user
        self._password = password or ""
        self._nonce = nonce
        self._challenge: dict[str, str] | None = None
        self._count = 0
        self._accepted = False

    def challenged(self, headers: Iterable[str]) -> bool:
        """Take the ``WWW-Authenticate`` lines of a 401.

        Returns:
            Whether to repeat the request with :meth:`header`: False where the same challenge was answered before.
        """
        if self._user is None:
            return False
        before = self._challenge
        offers = [offer for line in headers for offer in _offers(line)]
        digests = [one for one in offers if one["scheme"] == "digest" and _algorithm(one) in _HASHES]
        # Basic sends the password itself, so it is used only where nothing better is offered
        best = sorted(digests, key=lambda one: not _algorithm(one).startswith("SHA-256")) or [
            one for one in offers if one["scheme"] == "basic"
        ]
        if not best:
            return False
        self._challenge, self._count = best[0], 0
        if before is None:
            return True
        # a nonce expires: that one did says nothing about a password that was accepted before
        is_stale = self._accepted or best[0].get("stale", "").lower() == "true"
        self._accepted = False
        return is_stale and best[0].get("nonce") != before.get("nonce")

    def accepted(self) -> None:
        """The last request was answered by something other than a 401."""
        self._accepted = self._challenge is not None

    def header(self, method: str, uri: str) -> str | None:
        """Return the value of ``Authorization`` for a request; None without a challenge."""
        if self._challenge is None or self._user is None:
            return None
        if self._challenge["scheme"] == "basic":
            token = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
            return f"Basic {token}"
        return self._digest(self._challenge, method, uri)

    def _digest(self, challenge: dict[str, str], method: str, uri: str) -> str:
        name = _HASHES[_algorithm(challenge)]

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

        realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
        ours = self._nonce()
        first = hashed(f"{self._user}:{realm}:{self._password}")
        if _algorithm(challenge).endswith(_SESSION):
            first = hashed(f"{first}:{nonce}:{ours}")
        second = hashed(f"{method}:{uri}")
        fields = [
            f'username="{_quoted(self._user or "")}"',
            f'realm="{_quoted(realm)}"',
            f'nonce="{_quoted(nonce)}"',
            f'uri="{uri}"',
        ]
        if "auth" in [one.strip() for one in challenge.get("qop", "").split(",")]:
            self._count += 1
            count = f"{self._count:08x}"
            response = hashed(f"{first}:{nonce}:{count}:{ours}:auth:{second}")
            fields += ["qop=auth", f"nc={count}", f'cnonce="{ours}"']
        else:
            response = hashed(f"{first}:{nonce}:{second}")
            fields += [f'cnonce="{ours}"'] if _algorithm(challenge).endswith(_SESSION) else []
        fields.append(f'response="{response}"')
        if "algorithm" in challenge:
            fields.append(f"algorithm={challenge['algorithm']}")
        if "opaque" in challenge:
            fields.append(f'opaque="{_quoted(challenge["opaque"])}"')
        return "Digest " + ", ".join(fields)


def _offers(line: str) -> list[dict[str, str]]:
    """Return the challenges of one header line, each with its ``scheme``."""
    found: list[dict[str, str]] = []
    for word in _WORD.finditer(line):
        name, quoted, bare = word.groups()
        if quoted is None and bare is None:
            found.append({"scheme": name.lower()})
        elif found:
            found[-1][name.lower()] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return found


def _algorithm(challenge: dict[str, str]) -> str:
    return challenge.get("algorithm", "MD5").upper()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
