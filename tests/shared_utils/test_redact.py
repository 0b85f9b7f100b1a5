"""No secret in any spelling gets through."""

from __future__ import annotations

import io
import json
import logging
from urllib.parse import quote

import pytest

from shared_utils.config.log import LogSettings
from shared_utils.config.redis import RedisSettings
from shared_utils.log import camera_logger, setup_logging
from shared_utils.redact import Redactor, mask_url, url_secrets

AWKWARD = ["p@ss:w/ör d1", "a%b&c=d", "plain-secret", "quote'\"me", "100%"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:secret@10.0.0.2:554/stream1", "rtsp://***@10.0.0.2:554/stream1"),
        ("rtsp://user:p@ss@10.0.0.2/1", "rtsp://***@10.0.0.2/1"),
        ("rtsp://user:a/b@10.0.0.2/1", "rtsp://***@10.0.0.2/1"),
        ("http://cam/video?user=x&password=secret&q=1", "http://cam/video?user=x&password=***&q=1"),
        (
            "https://cdn/live.m3u8?hdnts=exp=1~hmac=2&Signature=ab&x=1",
            "https://cdn/live.m3u8?hdnts=***&Signature=***&x=1",
        ),
        ("http://cam/video", "http://cam/video"),
        ("failed: rtsp://u:p@h/1, again", "failed: rtsp://***@h/1, again"),
        ("/video/film.mp4", "/video/film.mp4"),
    ],
)
def test_urls_lose_their_secrets(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@pytest.mark.parametrize("secret", AWKWARD)
def test_a_password_is_found_in_its_url_and_redacted_in_every_spelling(secret: str) -> None:
    encoded = quote(secret, safe="")
    redact = Redactor(url_secrets(f"rtsp://cam:{encoded}@10.0.0.2/1"))
    for spelling in (secret, encoded, encoded.lower(), quote(secret)):
        assert spelling not in redact(f"error near {spelling} in line 1").replace("***", "")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_logging_filter_covers_messages_and_tracebacks(log_format: str) -> None:
    out = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        setup_logging(LogSettings("INFO", log_format), "capture", AWKWARD, out)
        log = camera_logger("vcam_worker.runtime.camera.runner", "door")
        for secret in AWKWARD:
            log.warning("could not open %s", f"rtsp://cam:{quote(secret, safe='')}@h/1")
            try:
                raise ValueError(f"refused: {secret}")
            except ValueError:
                log.exception("it said %s", secret)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = out.getvalue()
    assert text.count("***") >= 2 * len(AWKWARD)
    for secret in AWKWARD:
        for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
            assert spelling not in text
    if log_format == "json":
        entries = [json.loads(line) for line in text.splitlines()]
        assert {entry["camera"] for entry in entries} == {"door"}
    else:
        assert "WARNING door " in text


def test_settings_do_not_show_passwords() -> None:
    assert "geheim" not in repr(RedisSettings(password="geheim"))


def test_a_line_of_the_log_does_not_steer_a_terminal() -> None:
    out = io.StringIO()
    setup_logging(LogSettings(), "worker", stream=out)
    logging.getLogger("video_worker").warning("a module said \x1b[2J\r\x07 and\tmore")
    assert "a module said \\x1b[2J\\x0d\\x07 and\tmore" in out.getvalue()
