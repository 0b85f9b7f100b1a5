"""What the running pipeline shows without a password: no further port, no page, no secret."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest

from devtools.compose import docker
from shared_utils.redact import spellings
from tests.e2e.incident import Running
from tests.e2e.steps import add_yard, page

PUBLISHED = {"capture": {"8080/tcp"}, "jupyter": {"8888/tcp"}}
"""What README tells of; on 127.0.0.1 unless .env says otherwise."""
OPEN_INSIDE = {
    "redis": {6379},
    "capture": {8080},
    "jupyter": {8888},
    "camera": {8554},
    "video-worker": set(),
    "live": set(),
}
"""TCP ports that the containers of the project show to each other."""
ENGINES_OWN = {"/lab", "/etc/vcam", "/usr/sbin/docker-init"}
"""What the engine itself adds: places to mount at, and its first process."""
LISTENING = "0A"
"""The state in the kernel's list of sockets."""
LOOPBACK = "7F"
"""End of an IPv4 address on 127.0.0.0/8 there, such as that of Docker's resolver: its bytes are turned round."""
TIMEOUT_S = 5

_ASK_REDIS = r"""
import socket, sys
for command in sys.argv[1:]:
    with socket.create_connection(("redis", 6379), 5) as redis:
        redis.sendall(command.encode() + b"\r\n")
        print(redis.recv(200).decode(errors="replace").splitlines()[0])
"""


def test_nothing_is_published_but_what_is_documented_and_on_this_machine_alone(running: Running) -> None:
    project = running.project
    others = {one.address for found in psutil.net_if_addrs().values() for one in found if one.family == socket.AF_INET}
    others = {address for address in others if not address.startswith("127.")}
    published = {}
    for container in project.containers():
        shown = project.inspect(container)
        service = shown["Config"]["Labels"]["com.docker.compose.service"]
        bound = {inner: where for inner, where in shown["NetworkSettings"]["Ports"].items() if where}
        if bound:
            published[service] = set(bound)
        for where in [one for ones in bound.values() for one in ones]:
            assert where["HostIp"] == "127.0.0.1"
            assert _is_open("127.0.0.1", int(where["HostPort"]))
            assert not [address for address in others if _is_open(address, int(where["HostPort"]))]
    assert published == PUBLISHED
    running.report.notes.append(f"published: {published}, on 127.0.0.1 alone; closed at {len(others)} other addresses")


def _is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(TIMEOUT_S)
        return probe.connect_ex((address, port)) == 0


def _listening(container: str) -> set[int]:
    """Return the TCP ports that a container shows to its networks, by the kernel's own list."""
    found = set()
    for line in docker("exec", container, "cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines():
        fields = line.split()
        if fields[3] == LISTENING:
            address, _, port = fields[1].partition(":")
            if not address.endswith(LOOPBACK):
                found.add(int(port, 16))
    return found


def test_within_the_projects_networks_each_container_shows_one_port_at_most(running: Running) -> None:
    project = running.project
    found = {service: _listening(project.container(service)) for service in OPEN_INSIDE}
    assert found == OPEN_INSIDE
    running.report.notes.append(f"TCP ports open to the project's own networks: {found}")


def test_redis_tells_nothing_without_its_password(running: Running) -> None:
    commands = ["PING", "INFO", "KEYS *", "CONFIG GET requirepass", "DBSIZE", "EVAL return{1} 0", "MONITOR"]
    answers = running.project.python("jupyter", _ASK_REDIS, *commands, "AUTH wrong", "AUTH default wrong")
    assert [line.split()[0] for line in answers.splitlines()] == ["-NOAUTH"] * len(commands) + ["-WRONGPASS"] * 2
    assert running.project.redis("PING") == "PONG"


def _jupyter(running: Running) -> str:
    return "http://" + running.project.compose("port", "jupyter", "8888").strip()


def _status(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> int:
    """Return the status of the answer; a page to log in counts as the 302 that leads to it."""
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return 302 if "/login" in answer.url else answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    "path",
    [
        *("/lab", "/metrics", "/view/video/", "/files/video/detections_log.jsonl"),
        *("/files/notebooks/SendProcessFile.ipynb", "/api/contents", "/api/kernels", "/api/sessions"),
        *("/api/terminals", "/api/status", "/api/me"),
    ],
)
def test_jupyter_shows_nothing_without_its_token(running: Running, path: str) -> None:
    url = _jupyter(running) + path
    assert _status(url) in {302, 403}
    assert _status(url, headers={"Authorization": "token wrong"}) in {302, 403}
    assert _status(f"{url}?token=wrong") in {302, 403}


def test_jupyter_runs_nothing_without_its_token(running: Running) -> None:
    url = _jupyter(running)
    for path in ("/api/kernels", "/api/terminals", "/api/sessions", "/api/contents/video"):
        assert _status(url + path, "POST") in {403, 404}
    token = {"Authorization": f"token {running.project.secrets.jupyter}"}
    assert _status(f"{url}/api/kernels", headers=token) == 200


@pytest.mark.parametrize("path", ["/api/kernels/x/channels", "/terminals/websocket/1", "/api/events/subscribe"])
def test_jupyters_websockets_open_to_nobody_without_its_token(running: Running, path: str) -> None:
    where = urlsplit(_jupyter(running))
    assert where.hostname
    assert where.port
    key = base64.b64encode(b"0123456789abcdef").decode()
    with socket.create_connection((where.hostname, where.port), TIMEOUT_S) as browser:
        browser.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = int(browser.recv(100).split()[1])
    assert status in {302, 403, 404}


def _needles(running: Running) -> dict[str, list[bytes]]:
    """Return every secret in every form that it might be written in."""
    secrets = running.project.secrets
    found = {}
    for name, secret in (("redis", secrets.redis), ("jupyter", secrets.jupyter), ("camera", secrets.camera)):
        forms = spellings(secret) | {
            json.dumps(secret)[1:-1],
            repr(secret)[1:-1],
            base64.b64encode(secret.encode()).decode(),
        }
        # the random part alone: whatever the rest is turned into
        forms |= {re.split(r"[^A-Za-z0-9]", secret)[0]}
        found[name] = sorted(form.encode() for form in forms)
    return found


def _held(needles: dict[str, list[bytes]], content: bytes) -> set[str]:
    return {name for name, forms in needles.items() if any(form in content for form in forms)}


def test_a_secret_is_in_the_environment_of_its_own_service_and_nowhere_else(running: Running) -> None:
    add_yard(running)
    project, needles = running.project, _needles(running)
    holders: dict[str, set[str]] = {}
    for container in project.containers():
        shown = project.inspect(container)
        service = shown["Config"]["Labels"]["com.docker.compose.service"]
        environment = "\n".join(shown["Config"].pop("Env"))
        holders[service] = _held(needles, environment.encode())
        assert not _held(needles, json.dumps(shown).encode()), f"docker inspect of {service}"
        assert not _held(needles, docker("top", container, "-eo", "pid,args").encode()), f"docker top of {service}"
        assert not _held(needles, project.logs(service).encode()), f"the log of {service}"
        assert not _held(needles, docker("diff", container).encode())
    queue = {"redis"}
    camera = {"camera"} if "camera" in holders["capture"] else set()  # or it is in the mounted file of cameras alone
    assert holders == {
        "redis": queue,
        "capture": queue | camera,
        "video-worker": queue,
        "live": queue,
        "jupyter": queue | {"jupyter"},
        "camera": set(),
        "camera-yard": set(),
    }


def _exported(container: str) -> Iterator[bytes]:
    """Yield a container's file system as a tar, in blocks that overlap."""
    tail = b""
    with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
        assert export.stdout
        while block := export.stdout.read(1 << 22):
            yield tail + block
            tail = block[-256:]


def test_no_secret_is_in_a_page_a_file_an_image_or_the_queue(running: Running) -> None:
    project, needles = running.project, _needles(running)
    for path in ("/", "/info", "/metrics", "/healthz"):
        assert not _held(needles, page(running, "capture", 8080, path)), path
    for file in project.video.rglob("*"):
        if file.is_file():
            assert not _held(needles, file.read_bytes()), file.name
    for image in {project.inspect(one)["Image"] for one in project.containers()}:
        shown = docker("history", "--no-trunc", image) + docker("image", "inspect", image)
        assert not _held(needles, shown.encode()), image
    queue = project.exec("redis", "sh", "-c", "cat /data/appendonlydir/*")
    assert "process_clip" in queue or "rq:job:clip-" in queue
    assert not _held(needles, queue.encode()), "the queue"
    for service in ("redis", "capture"):
        blocks = 0
        for block in _exported(project.container(service)):
            blocks += 1
            assert not _held(needles, block), f"the file system of {service}"
        assert blocks > 10


def test_containers_write_nothing_outside_their_mounts(running: Running) -> None:
    for container in running.project.containers():
        # C: a folder in which something is mounted; A and D: a file that came or went
        changed = [line for line in docker("diff", container).splitlines() if not line.startswith("C ")]
        mounts = {mount["Destination"] for mount in running.project.inspect(container)["Mounts"]}
        strange = [line for line in changed if line.split(maxsplit=1)[1] not in mounts | ENGINES_OWN]
        assert not strange
