"""The end: down, nothing left behind; and up again, with all that was not yet analysed."""

from __future__ import annotations

import time

from devtools.compose import docker, wait_for
from tests.e2e.incident import Row, Running
from tests.e2e.steps import add_yard

OPEN_TIMEOUT_S = 60.0
SERVICES = ("redis", "capture", "video-worker", "live", "jupyter", "camera", "camera-yard")
KEEPERS = ("redis", "capture", "video-worker", "live")


def test_down_ends_everything_in_order_and_up_goes_on(running: Running) -> None:
    add_yard(running)
    project = running.project
    wait_for(lambda: list((project.video / ".recording").glob("yard.*")), OPEN_TIMEOUT_S, "an open clip")
    containers = {service: project.container(service) for service in SERVICES}
    began = time.monotonic()
    project.compose("stop")
    row = Row("down and up", "the project ended in mid-run; then Redis and a worker alone")
    running.report.rows.append(row)
    codes = {service: project.inspect(one)["State"]["ExitCode"] for service, one in containers.items()}
    # Jupyter and the cameras hold nothing that being killed after their grace time would lose
    assert {codes[service] for service in KEEPERS} == {0}, codes
    running.report.notes.append(f"stopped in {time.monotonic() - began:.0f} s; exit codes {codes}")
    project.keep_logs("capture")
    project.down()
    ours = f"label=com.docker.compose.project={project.name}"
    assert not docker("ps", "-aq", "--filter", ours)
    assert not docker("network", "ls", "-q", "--filter", ours)
    assert not list((project.video / ".recording").iterdir())
    assert not list((project.video / ".outbox").iterdir())
    began = time.monotonic()
    project.up("redis", "video-worker")
    row.healthy_s = time.monotonic() - began
    findings = running.check(row)
    row.back_s = time.monotonic() - began
    findings += [f"left behind: {path.name}" for path in (project.video / "boxes").glob(".*")]
    row.verdict = "; ".join(findings) or "ok"
    assert not findings
