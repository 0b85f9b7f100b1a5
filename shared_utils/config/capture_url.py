"""Where capture's pages are, for programs that use them: ``CAPTURE_URL``."""

from __future__ import annotations

from urllib.parse import urlsplit

from shared_utils.config.setting import Setting

DEFAULT_CAPTURE_URL = "http://capture:8080"
"""The service within the compose network."""


def parse_capture_url(text: str) -> str:
    """Return the URL of capture's pages without a slash at its end.

    Raises:
        ValueError: it is none; the text says what to give.
    """
    remedy = "give the URL of capture's pages, such as http://capture:8080 or http://127.0.0.1:8080"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(remedy) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(remedy)
    if parts.username is not None or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(f"{remedy}, without a user, a query or blanks")
    return text.rstrip("/")


CAPTURE_URL = Setting("CAPTURE_URL", "URL of capture's pages", parse=parse_capture_url)
