"""Cameras that give one picture per request: polling, unchanged pictures, Digest passwords."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from itertools import count, pairwise

import pytest

from shared_utils.errors import SourceUnauthorized
from tests.support.network.hosts import Call, host
from tests.support.network.mjpeg import MJPEG, NAME, PASSWORD, PICTURES, camera, part, read
from vcam_worker.stream.opening import connect
from vcam_worker.stream.protocols import pictures


def snapshot(call: Call, picture: Callable[[int], bytes], head: str = "", keep: bool = True) -> None:
    """Answer each request with one picture."""
    for number in count():
        request = call.request()
        if not request:
            return
        call.host.requests.append(request)
        data = picture(number if keep else call.number)
        call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}{head}", data)
        if not keep:
            return


def test_an_address_that_gives_one_picture_is_polled_over_one_connection() -> None:
    with host(lambda call: snapshot(call, lambda number: PICTURES[number % 5])) as here:
        began = time.monotonic()
        packets = read(f"{here.url}/snapshot.jpg", 6, fps=30)
    assert [one.data for one in packets] == [PICTURES[number % 5] for number in range(6)]
    steps = [later.arrived - one.arrived for one, later in pairwise(packets)]
    assert sum(steps) == pytest.approx(5 / pictures.MAX_POLL_FPS, abs=0.3)
    assert packets[0].arrived >= began
    assert abs(packets[-1].wall - time.time()) < 5
    assert here.calls == 1


@pytest.mark.parametrize("length", [True, False])
def test_a_camera_that_closes_after_each_picture_is_polled(length: bool) -> None:
    def behave(call: Call) -> None:
        call.request()
        data = PICTURES[call.number % 5]
        length_header = f"\r\nContent-Length: {len(data)}" if length else ""
        call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nConnection: close{length_header}", data)

    with host(behave) as here:
        packets = read(f"{here.url}/snapshot.jpg", 3)
    assert [one.data for one in packets] == PICTURES[:3]


def test_a_multipart_answer_with_one_picture_is_polled() -> None:
    def behave(call: Call) -> None:
        call.request()
        call.answer(MJPEG, part(PICTURES[call.number % 5]))

    with host(behave) as here:
        assert [one.data for one in read(f"{here.url}/cgi-bin/snapshot", 3)] == PICTURES[:3]


def test_a_picture_that_stays_the_same_is_kept_once_a_second_by_its_tag_or_its_bytes() -> None:
    def behave(call: Call) -> None:
        while request := call.request():
            call.host.requests.append(request)
            if 'If-None-Match: "one"' in request:
                call.answer('304 Not Modified\r\nETag: "one"')
            else:
                head = f'200 OK\r\nContent-Type: image/jpeg\r\nETag: "one"\r\nContent-Length: {len(PICTURES[0])}'
                call.answer(head, PICTURES[0])

    with host(behave) as tagged, host(lambda call: snapshot(call, lambda _: PICTURES[0])) as untagged:
        for here in (tagged, untagged):
            packets = read(f"{here.url}/snapshot.jpg", 3)
            assert {one.data for one in packets} == {PICTURES[0]}
            assert packets[2].arrived - packets[0].arrived == pytest.approx(2 * pictures.REPEAT_S, abs=0.6)
    assert sum("If-None-Match" in one for one in tagged.requests) >= 3


def test_a_length_that_is_longer_than_the_picture_costs_a_connection_and_no_picture() -> None:
    def behave(call: Call) -> None:
        call.request()
        data = PICTURES[call.number % 5]
        call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data) + 500}", data)
        call.request()  # stays open

    with host(behave) as here:
        assert [one.data for one in read(f"{here.url}/snapshot.jpg", 3)] == PICTURES[:3]


def digest_of(request: str) -> dict[str, str]:
    line = next(one for one in request.splitlines() if one.lower().startswith("authorization: digest"))
    return {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', line)}


@pytest.mark.parametrize(("algorithm", "says_stale"), [("MD5", True), ("MD5", False), ("SHA-256", True)])
def test_a_snapshot_behind_a_digest_password_survives_a_stale_nonce(algorithm: str, says_stale: bool) -> None:
    def hashed(text: str) -> str:
        return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()

    def is_right(request: str, nonce: str) -> bool:
        given = digest_of(request)
        first = hashed(f"{NAME}:Camera, 1:{PASSWORD}")
        second = hashed(f"GET:{given['uri']}")
        wanted = hashed(f"{first}:{nonce}:{given['nc']}:{given['cnonce']}:auth:{second}")
        return given["nonce"] == nonce and given["response"] == wanted and given["uri"] in request.splitlines()[0]

    def behave(call: Call) -> None:
        number = 0
        while request := call.request():
            nonce = f"nonce{number // 2}"  # lasts for two pictures
            if "Authorization" in request and is_right(request, nonce):
                data = PICTURES[number % 5]
                number += 1
                call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}", data)
            else:
                stale = ", stale=true" if "Authorization" in request and says_stale else ""
                call.answer(
                    '401 Unauthorized\r\nContent-Length: 6\r\nWWW-Authenticate: Basic realm="Camera, 1"\r\n'
                    f'WWW-Authenticate: Digest realm="Camera, 1", nonce="{nonce}", algorithm={algorithm}, '
                    f'qop="auth,auth-int"{stale}',
                    b"denied",
                )

    with host(behave) as here:
        packets = read(f"{NAME}:p%40ss%2Fw%3Ard@{here.url}/snap.jpg?a=1&b=2", 4)
    assert [one.data for one in packets] == PICTURES[:4]
    assert here.calls == 1


def test_a_camera_that_calls_each_nonce_stale_is_not_asked_for_ever() -> None:
    def behave(call: Call) -> None:
        for number in count():
            if not call.request():
                return
            call.host.requests.append("GET")
            challenge = f'Digest realm="x",\r\n nonce="{number}", stale=true'
            call.answer(f"401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0")

    with (
        host(behave) as here,
        pytest.raises(SourceUnauthorized, match="wrong user name or password"),
        connect(camera(f"admin:pw@{here.url}/snapshot.jpg"), "any"),
    ):
        pass
    assert len(here.requests) == 3
