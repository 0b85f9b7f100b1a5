"""Settings of the engines that read text, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from shared_utils.config.env import read_env
from shared_utils.config.setting import Setting, declarations
from shared_utils.errors import SettingError


def _endpoint(text: str) -> str:
    """Return the URL of an OpenAI-compatible service, without a slash at its end."""
    remedy = "give the URL under which the service has chat/completions, such as http://127.0.0.1:11434/v1"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(remedy) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or not text.isascii():
        raise ValueError(remedy)
    if any(not one.isprintable() or one.isspace() for one in text):
        raise ValueError(remedy)
    if parts.username is not None or parts.password is not None:
        raise ValueError("the key goes into OCR_HTTP_KEY, not into the URL")
    return text.rstrip("/").removesuffix("/chat/completions")


def _key(text: str) -> str:
    # it becomes a header; the message does not repeat it, unlike that of a ValueError
    if not all("!" <= one <= "~" for one in text):
        raise SettingError("OCR_HTTP_KEY holds blanks or characters that no key has: copy it anew")
    return text


@dataclass(frozen=True)
class ReaderSettings:
    """What the engines that read text need.

    Attributes:
        http_url: where the engine ``http`` asks: the part before ``/chat/completions``; None for nowhere.
        http_key: its key; None for none.
        http_model: name of its model.
        http_timeout_s: longest time for one answer.
    """

    http_url: Annotated[
        str | None,
        Setting("OCR_HTTP_URL", "OpenAI-compatible service that the engine http asks", parse=_endpoint),
    ] = None
    http_key: Annotated[str | None, Setting("OCR_HTTP_KEY", "key of that service", parse=_key)] = field(
        default=None, repr=False
    )
    http_model: Annotated[str | None, Setting("OCR_HTTP_MODEL", "model of that service, one that sees pictures")] = None
    http_timeout_s: Annotated[
        float, Setting("OCR_HTTP_TIMEOUT", "longest time for an answer of that service, seconds", ge=0.5, le=600)
    ] = 20.0

    @property
    def secrets(self) -> list[str]:
        """What no log may hold."""
        return [self.http_key] if self.http_key else []

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> ReaderSettings:
        """Read ``OCR_HTTP_URL``, ``OCR_HTTP_KEY``, ``OCR_HTTP_MODEL`` and ``OCR_HTTP_TIMEOUT``.

        Raises:
            SettingError: a value is wrong.
        """
        return cls(**read_env(declarations(cls), values))
