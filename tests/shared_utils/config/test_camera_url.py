"""URLs of cameras as people type them: the password may be raw, and the host is found."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from shared_utils.config.camera_url import clean_url

PASSWORDS = [
    "pa#ss",
    "pa?ss",
    "p@ss",
    "pa/ss",
    "pa#ss?w@rd/x",
    "12345#6",
    "554/x",
    "a:b",
    "pa ss",
    "100%",
    "$HOME",
    "[x]",
    "ключ",
    "'\"",
    "a@b/c",
]
HOSTS = ["192.168.1.20:554", "192.168.1.20", "[fe80::1]:554", "cam-1.lan", "localhost:8554", "camera:8554"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_raw_password_is_encoded_whatever_it_holds(password: str, host: str) -> None:
    parts = urlsplit(clean_url(f"rtsp://admin:{password}@{host}/stream1?a=1"))
    assert (parts.username, unquote(parts.password or "")) == ("admin", password)
    assert parts.netloc.rpartition("@")[2] == host
    assert (parts.path, parts.query) == ("/stream1", "a=1")


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://192.168.1.20/user@stream",
        "rtsp://u:p@192.168.1.20:554/live/ch@1",
        "rtsp://camera:8554/str@eam",
        "http://10.0.0.1/video?mail=a@b.c",
        "http://cam.lan/video?user=a&pwd=b@c",
        "rtsp://u:p%40ss%23@10.0.0.1/s",
        "rtsp://admin:@10.0.0.1/s",
        "rtsp://u@10.0.0.1/s",
        "rtsp://[::1]:8554/s",
        "http://камера.lan/s",
    ],
)
def test_a_url_that_libraries_understand_stays_as_it_is(url: str) -> None:
    assert clean_url(url) == url


def test_a_name_of_an_account_may_be_a_mail_address() -> None:
    assert clean_url("rtsp://me@mail.com:pa/ss@10.0.0.1/s") == "rtsp://me%40mail.com:pa%2Fss@10.0.0.1/s"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("rtsp://u:secret@", "no usable host"),
        ("rtsp://u:sec?ret@:554/x", "no usable host"),
        ("rtsp://u:secret:10.0.0.1/x", "no usable host"),
        ("rtsp://u:secret@host:99999/x", "no usable host or port"),
        ("rtsp://u:secret@host:0/x", "port 0"),
        ("rtsp://u:secret@[::1/x", "no usable host"),
        ("u:secret@10.0.0.1/x", "is no URL"),
        ("u:secret://x@10.0.0.1/x", "is no URL"),
        ("ftp://u:secret@10.0.0.1/x", "begins with ftp://"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        clean_url(url)
    assert "sec" not in str(caught.value)
