"""Masks secrets in text. Used where URLs are displayed, and again by the logging filter.

A password may come back from a library percent-encoded or decoded, inside a URL or alone, so each known
secret is masked in all its spellings, and any ``user:password@`` part is masked whether known or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"
MIN_SECRET = 3
"""Characters. Shorter "secrets" would blank out ordinary words and numbers of every line."""

# greedy to the last '@' before a blank or quote: passwords pasted unencoded hold '@', ':' and '/'.
# An '@' in a path hides the host as well; better that than half a password.
_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s'\"<>]*@")
_QUERY_SECRET = re.compile(
    r"(?P<key>[?&](?:pass|passwd|password|pwd|psw|token|access_token|auth|key|secret|sig|signature"
    r"|hdnts|hdntl|wmsauthsign)=)[^&\s'\"]+",
    re.I,
)


def mask_url(url: str) -> str:
    """Return `url` with its user, password and secret query values replaced by ``***``."""
    return _QUERY_SECRET.sub(rf"\g<key>{MASK}", _USERINFO.sub(rf"\g<scheme>{MASK}@", url))


def url_secrets(url: str) -> set[str]:
    """Return what must never be shown of `url`: its password, encoded and decoded."""
    found = {match.group(0).split("=", 1)[1] for match in _QUERY_SECRET.finditer(url)}
    match = _USERINFO.search(url)
    if match:
        _, _, password = match.group(0)[len(match.group("scheme")) : -1].partition(":")
        found.add(password)
    with suppress(ValueError):  # a malformed URL: the pattern above has masked what it can
        found.add(urlsplit(url).password or "")
    return {secret for secret in found if secret}


def spellings(secret: str) -> set[str]:
    """Return `secret` as it may turn up: plain, percent-decoded, percent-encoded in either case, in JSON."""
    plain = unquote(secret)
    forms = {secret, plain, quote(plain, safe=""), quote(plain), quote_plus(plain)}
    forms |= {re.sub(r"%[0-9A-F]{2}", lambda match: match.group(0).lower(), form) for form in forms}
    # some servers escape slashes in JSON
    return forms | {form.replace("/", r"\/") for form in forms}


class Redactor:
    """Replaces known secrets, and anything that looks like ``scheme://user:password@``, in text.

    Args:
        secrets: passwords and tokens; those under :data:`MIN_SECRET` characters are left to the URL pattern.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Replace `secrets` from now on as well; may be called while other threads redact."""
        self._secrets |= set(secrets)
        forms = {form for secret in self._secrets for form in spellings(secret) if len(secret) >= MIN_SECRET}
        # longest first, so that a secret that holds another one goes whole
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        if self._known:
            text = self._known.sub(MASK, text)
        return mask_url(text)
