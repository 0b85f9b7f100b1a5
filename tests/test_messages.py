"""Whoever reads a warning or an error finds it in docs/operations.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from devtools.paths import ROOT

PACKAGES = ("shared_utils", "vcam_worker", "video_worker", "camera_emulator", "notebooks/lab/data")
LEVELS = {"warning", "error", "exception", "critical"}
PLACEHOLDER = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgx]")

# what is logged there is put together elsewhere; how it looks in the log
PASSED_ON = {
    ("notebooks/lab/data/results.py", "…: …"): ["lines passed over: …"],
    ("vcam_worker/runtime/process.py", "…"): ["…: the connection hangs in the video library"],
    ("video_worker/jobs.py", "…: …"): ["failed: …"],
    ("vcam_worker/runtime/queue_watch.py", "…"): [
        "the queue grows: …; docs/scaling.md tells what makes analysis faster"
    ],
    ("video_worker/pipeline/analyse.py", "…: failed unexpectedly"): ["failed unexpectedly"],
    ("video_worker/queue/complaints.py", "……"): [
        "refused: the queue names a job …, which is no id",
        "refused: … names a job …, which is none",
        "refused: the job … is a …; it was moved aside",
        "refused: the job … asks for nothing; it was moved aside",
        "in Redis … was a …, which this queue cannot use: it was moved aside",
        "what keeps the worker's leases met …",
    ],
    ("video_worker/queue/worker.py", "…: …"): [
        "refused: …",
        "…; tried again in … s",
        "handed back to the queue, as the worker is to stop",
        "failed unexpectedly",
    ],
}


def _calls() -> Iterator[tuple[str, int, str]]:
    """Yield file, line and message of every call that logs a warning or worse."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                name = node.func.attr
                place = 0 if name in LEVELS else 1 if name == "log" else None
                if place is None or len(node.args) <= place:
                    continue
                template = node.args[place]
                if isinstance(template, ast.Constant) and isinstance(template.value, str):
                    shown = PLACEHOLDER.sub("…", template.value).replace("%%", "%")
                    yield str(path.relative_to(ROOT)), node.lineno, shown


def _documented() -> set[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text[text.index("### Every message") : text.index("## What to do when")]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def test_every_warning_and_error_is_in_the_table_of_messages() -> None:
    known = _documented()
    missing = [
        f"{file}:{line}: {shown}"
        for file, line, shown in _calls()
        if shown not in known and (file, shown) not in PASSED_ON
    ]
    assert not missing, "docs/operations.md has no row for:\n" + "\n".join(missing)


def test_what_is_put_together_elsewhere_is_in_the_table_as_it_looks() -> None:
    found = {(file, shown) for file, _, shown in _calls()}
    assert not set(PASSED_ON) - found
    assert not {row for rows in PASSED_ON.values() for row in rows} - _documented()


def test_the_table_names_nothing_that_is_never_said() -> None:
    said = {shown for _, _, shown in _calls()} | {row for rows in PASSED_ON.values() for row in rows}
    source = "\n".join(path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    gone = []
    for row in _documented() - said:
        # reasons of "no picture" are raised as errors: each of their parts is somewhere in the code
        parts = [part.strip() for part in re.split(r"…", row) if len(part.strip()) > 3]
        gone += [row for part in parts if part.strip(" ()") not in source]
    assert not gone
