"""Reads text by a vision model behind an OpenAI-compatible service, by ``chat/completions`` with a picture."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

from shared_utils.errors import ReaderMissing, ReadingFailed, SourceError, SourceRefused
from shared_utils.media.picture import Picture, encode_jpeg, resized
from shared_utils.redact import Redactor
from video_worker.http_stream import HttpStream, Request
from video_worker.readers.base import Mode, RawReading
from video_worker.readers.settings import ReaderSettings

NAME = "http"
MAX_ANSWER_BYTES = 1_000_000
"""Of the service's whole answer; some tell what they thought beside what they read."""
MAX_TEXT = 2000
"""Characters of what was read."""
SIDE_PX, QUALITY = 1024, 90
"""Longest side and JPEG quality of the picture that is sent."""
PAUSE_S = 10.0
"""Time without requests after one that failed: zones that are read every second must not wait for a service that is
away one timeout after the other."""
NOTHING, UNKNOWN = "UNREADABLE", "?"
PROMPTS: dict[Mode, str] = {
    "line": "Transcribe the text of this display. It is one line. Copy every character as it is displayed, with signs, "
    "decimal points and units, and add nothing: no explanation, no quotes, no formatting. "
    f"If it cannot be read with certainty, answer {NOTHING}.",
    "area": "Transcribe all text in this picture, line by line from top to bottom. Copy every character as it is "
    "displayed, with signs, decimal points and units, and add nothing: no explanation, no quotes, no formatting. "
    f"If it cannot be read with certainty, answer {NOTHING}.",
}


class HttpReader:
    """Asks a service for each reading. What it answers is taken with confidence 1, as such services give none.

    Pictures of zones leave this machine. The key goes to the service's own host alone: no redirection is followed.

    Args:
        settings: where it is.
        clock: monotonic seconds.

    Raises:
        ReaderMissing: the settings name no service.
    """

    name = NAME

    def __init__(self, settings: ReaderSettings, clock: Callable[[], float] = time.monotonic) -> None:
        missing = [
            name
            for name, value in (("OCR_HTTP_URL", settings.http_url), ("OCR_HTTP_MODEL", settings.http_model))
            if not value
        ]
        if missing:
            raise ReaderMissing(
                f"the engine http is not set up: give {' and '.join(missing)} in .env, OCR_HTTP_KEY where the service "
                "asks for one, and with compose add docker-compose.read-http.yml"
            )
        self._url = f"{settings.http_url}/chat/completions"
        self._model = settings.http_model
        self._timeout_s = settings.http_timeout_s
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if settings.http_key:
            self._headers["Authorization"] = f"Bearer {settings.http_key}"
        self._redact = Redactor(settings.secrets)
        self._clock = clock
        self._failed_at: float | None = None
        self._failure = ""
        self._options: dict[str, object] = {"temperature": 0}

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        """Return what a picture says; see :class:`video_worker.readers.base.TextReader`."""
        failed_at = self._failed_at
        if failed_at is not None and self._clock() - failed_at < PAUSE_S:
            raise ReadingFailed(self._failure)
        try:
            answer = self._ask(picture, mode)
        except SourceError as error:
            self._failure, self._failed_at = self._redact(str(error)), self._clock()
            raise ReadingFailed(self._failure) from None
        self._failed_at = None
        reading = _reading(answer, mode)
        return RawReading(self._redact(reading.text), reading.confidence)

    def _ask(self, picture: Picture, mode: Mode) -> bytes:
        try:
            return self._post(picture, mode)
        except SourceRefused as error:
            # OpenAI's models that reason take no temperature
            if "temperature" not in str(error) or not self._options:
                raise
            self._options = {}
            return self._post(picture, mode)

    def _post(self, picture: Picture, mode: Mode) -> bytes:
        image = base64.b64encode(_jpeg(picture)).decode("ascii")
        content = [
            {"type": "text", "text": PROMPTS[mode]},
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}},
        ]
        body = {"model": self._model, "messages": [{"role": "user", "content": content}], **self._options}
        data = json.dumps(body).encode()
        request = Request("OCR_HTTP_URL", self._headers, data, self._timeout_s, self._redact)
        until = self._clock() + self._timeout_s
        with HttpStream(self._url, self._clock, request=request) as stream, stream.within(until - self._clock()):
            return stream.read_all(MAX_ANSWER_BYTES)


def _jpeg(picture: Picture) -> bytes:
    height, width = picture.shape[:2]
    longest = max(height, width)
    if longest > SIDE_PX:
        share = SIDE_PX / longest
        picture = resized(picture, (max(1, round(width * share)), max(1, round(height * share))))
    return encode_jpeg(picture, QUALITY)


def _reading(answer: bytes, mode: Mode) -> RawReading:
    """Return what an answer says was read.

    Raises:
        ReadingFailed: it is none of ``chat/completions``, or too long.
    """
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ReadingFailed("the service of OCR_HTTP_URL does not answer as chat/completions do") from None
    if content is None:
        return RawReading("", 0.0)
    if not isinstance(content, str):
        raise ReadingFailed("the service of OCR_HTTP_URL answers with something other than text")
    lines = [_printable(line) for line in content.strip().splitlines()]
    text = (" " if mode == "line" else "\n").join(line for line in lines if line)
    if not text or text.strip(" .").upper() == NOTHING:
        return RawReading("", 0.0)
    if len(text) > MAX_TEXT:
        raise ReadingFailed(f"the service of OCR_HTTP_URL answers with more than {MAX_TEXT} characters")
    return RawReading(text, 1.0)


def _printable(line: str) -> str:
    """Return a line without controls, marks of direction and halves of characters, which no file takes.

    A sign for something unknown stands for them, so that no pattern or number takes what is left.
    """
    return " ".join("".join(one if one.isprintable() or one.isspace() else UNKNOWN for one in line).split())
