"""A vision model behind an OpenAI-compatible service: what is asked, what is answered, and what goes wrong."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from shared_utils.errors import ReaderMissing, ReadingFailed, SettingError
from shared_utils.media.picture import decode_jpeg
from tests.support.footage.text import text_picture
from tests.support.network.hosts import host
from video_worker import http_stream as module_of_streams
from video_worker.readers import http as module
from video_worker.readers.base import RawReading
from video_worker.readers.http import HttpReader
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings

KEY = "sk-secret-4711"
PICTURE = text_picture("12.5 bar")


class Service:
    """An OpenAI-compatible service.

    Attributes:
        requests: path, headers and body of each.
        answer: makes status and body of the answer to a request's body.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict]] = []
        self.answer: Callable[[dict], tuple[int, bytes]] = lambda body: (200, said("12.5 bar"))
        self.headers: dict[str, str] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.requests.append((self.path, dict(self.headers), body))
                status, answer = service.answer(body)
                self.send_response(status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


def said(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    one = Service()
    thread = threading.Thread(target=one.server.serve_forever, args=(0.01,))
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


@pytest.fixture
def reader(service) -> HttpReader:
    return HttpReader(ReaderSettings(service.url, KEY, "vision-1", 10.0))


def test_a_picture_is_sent_and_the_text_comes_back(service, reader):
    assert reader.read(PICTURE) == RawReading("12.5 bar", 1.0)
    ((path, headers, body),) = service.requests
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "vision-1"
    text, picture = body["messages"][0]["content"]
    assert "one line" in text["text"]
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    sent = decode_jpeg(base64.b64decode(data))
    assert sent.shape == PICTURE.shape
    assert np.abs(sent.astype(int) - PICTURE).mean() < 5


def test_without_a_key_none_is_sent(service):
    HttpReader(ReaderSettings(service.url, None, "vision-1")).read(PICTURE)
    assert "Authorization" not in service.requests[0][1]


def test_large_pictures_are_sent_smaller(service, reader):
    reader.read(np.zeros((1500, 3000, 3), np.uint8), "area")
    picture = service.requests[0][2]["messages"][0]["content"][1]
    assert decode_jpeg(base64.b64decode(picture["image_url"]["url"].partition(",")[2])).shape == (512, 1024, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_zones_of_any_shape_are_taken(reader, size):
    assert reader.read(np.zeros((*size, 3), np.uint8)).text == "12.5 bar"


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (" 12.5\n bar ", "line", "12.5 bar"),
        ("Level  3\n\nFlow 7\n", "area", "Level 3\nFlow 7"),
        ("12\ud800", "line", "12?"),
        ("UNREADABLE", "line", ""),
        ("unreadable.", "area", ""),
        ("", "line", ""),
        (None, "line", ""),
        ("12\t5\u00a0bar", "line", "12 5 bar"),
        ("\x1b[31m7\u202e", "area", "?[31m7?"),
    ],
)
def test_what_a_service_answers_is_the_text(service, reader, content, mode, text):
    service.answer = lambda body: (200, said(content))
    reading = reader.read(PICTURE, mode)
    assert (reading.text, reading.confidence) == (text, 1.0 if text else 0.0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"no json", "does not answer as chat/completions do"),
        (b"{}", "does not answer as chat/completions do"),
        (b'{"choices": []}', "does not answer as chat/completions do"),
        (b'{"choices": [{"message": "x"}]}', "does not answer as chat/completions do"),
        (b"[" * 100_000, "does not answer as chat/completions do"),
        (said(["12.5"]), "something other than text"),
        (said("7" * 3000), "more than 2000 characters"),
        (b" " * 1_100_000, "sends more than 1000000 bytes"),
    ],
)
def test_other_answers_are_readings_that_failed(service, reader, answer, message):
    service.answer = lambda body: (200, answer)
    with pytest.raises(ReadingFailed, match=message):
        reader.read(PICTURE)


def test_a_refusal_is_repeated_in_one_line_without_the_key(service, reader):
    service.answer = lambda body: (401, f'{{"error": "wrong key\n{KEY}"}}'.encode())
    with pytest.raises(ReadingFailed, match=r"answers 401: .*wrong key") as caught:
        reader.read(PICTURE)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("before", ["", "x" * (module_of_streams.MAX_REASON - 9)])
def test_a_key_that_a_refusal_repeats_is_masked_before_the_line_is_cut(service, before):
    key = "sk-secret/4711+0815"
    reader = HttpReader(ReaderSettings(service.url, key, "vision-1"))
    service.answer = lambda body: (401, f"{before}{key} {key}".replace("/", r"\/").encode())
    with pytest.raises(ReadingFailed, match=r"answers 401: ") as caught:
        reader.read(PICTURE)
    assert "sk-" not in str(caught.value)
    assert len(str(caught.value)) < module_of_streams.MAX_REASON + 60


def test_a_key_that_is_answered_as_text_is_masked(service, reader):
    service.answer = lambda body: (200, said(f"the key is {KEY}"))
    assert reader.read(PICTURE).text == "the key is ***"


def test_a_model_that_takes_no_temperature_is_asked_without(service, reader):
    def answer(body):
        return (400, b"Unsupported value: 'temperature'") if "temperature" in body else (200, said("7"))

    service.answer = answer
    assert [reader.read(PICTURE).text for _ in range(2)] == ["7", "7"]
    assert ["temperature" in body for _, _, body in service.requests] == [True, False, False]


def test_a_redirection_is_not_followed_so_that_the_key_goes_nowhere_else(service, reader):
    with host() as elsewhere:
        service.headers = {"Location": f"http://{elsewhere.url}/v1/chat/completions"}
        service.answer = lambda body: (307, b"")
        with pytest.raises(ReadingFailed, match="answers 307"):
            reader.read(PICTURE)
        assert elsewhere.calls == 0


def test_a_service_that_failed_is_left_alone_for_a_while(service):
    now = [100.0]
    reader = HttpReader(ReaderSettings(service.url, KEY, "vision-1"), lambda: now[0])
    service.answer = lambda body: (503, b"overloaded")
    for _ in range(3):
        with pytest.raises(ReadingFailed, match="answers 503: overloaded"):
            reader.read(PICTURE)
    assert len(service.requests) == 1
    service.answer = lambda body: (200, said("7"))
    now[0] += module.PAUSE_S
    assert [reader.read(PICTURE).text for _ in range(2)] == ["7", "7"]


def test_a_service_that_does_not_answer_holds_nobody_up():
    with host(lambda call: call.socket.recv(1 << 20) and threading.Event().wait(20)) as silent:
        reader = HttpReader(ReaderSettings(f"http://{silent.url}/v1", KEY, "vision-1", 0.5))
        with pytest.raises(ReadingFailed, match="sends nothing, or too slowly"):
            reader.read(PICTURE)


def test_a_service_that_drips_holds_nobody_up():
    def drip(call):
        call.request()
        call.send("HTTP/1.1 200 OK\r\n\r\n")
        while True:
            call.send(b" ")
            threading.Event().wait(0.05)

    with host(drip) as slow:
        reader = HttpReader(ReaderSettings(f"http://{slow.url}/v1", KEY, "vision-1", 0.5))
        with pytest.raises(ReadingFailed, match="sends nothing, or too slowly"):
            reader.read(PICTURE)


def test_a_service_that_is_not_there_names_the_setting():
    with pytest.raises(ReadingFailed, match=r"^http://127.0.0.1:1 cannot be reached \(.*\): see OCR_HTTP_URL$"):
        HttpReader(ReaderSettings("http://127.0.0.1:1/v1", KEY, "vision-1")).read(PICTURE)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (ReaderSettings(), "OCR_HTTP_URL and OCR_HTTP_MODEL"),
        (ReaderSettings("http://127.0.0.1/v1"), "OCR_HTTP_MODEL"),
        (ReaderSettings(http_model="x"), "OCR_HTTP_URL"),
    ],
)
def test_without_its_settings_the_line_says_which_are_missing(settings, missing):
    with pytest.raises(ReaderMissing, match=f"^the engine http is not set up: give {missing} in .env,"):
        ReaderRegistry(settings).get("http")


@pytest.mark.parametrize(
    "url", ["http://here:8000/v1", "https://api.openai.com/v1/", "http://[::1]:8/chat/completions"]
)
def test_urls_of_services_are_taken(url):
    settings = ReaderSettings.from_env({"OCR_HTTP_URL": url, "OCR_HTTP_KEY": KEY, "OCR_HTTP_MODEL": "a b"})
    assert not settings.http_url.endswith(("/", "completions"))
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    "url",
    ["here:8000", "ftp://here/v1", "http://", "http://here:99999/v1", "http://h/v1?key=1", "http://h/a b", "http://[/"],
)
def test_other_urls_are_refused(url):
    with pytest.raises(SettingError, match=r"^OCR_HTTP_URL is .*: give the URL under which"):
        ReaderSettings.from_env({"OCR_HTTP_URL": url})


def test_a_key_does_not_stand_in_the_url():
    with pytest.raises(SettingError, match="the key goes into OCR_HTTP_KEY"):
        ReaderSettings.from_env({"OCR_HTTP_URL": "http://user:pass@here/v1"})


def test_a_wrong_key_is_not_repeated():
    with pytest.raises(SettingError, match=r"^OCR_HTTP_KEY holds blanks") as caught:
        ReaderSettings.from_env({"OCR_HTTP_KEY": "sk-abc def"})
    assert "sk-abc" not in str(caught.value)
