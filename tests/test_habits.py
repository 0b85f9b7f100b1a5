"""Habits of the tests, read from their source: they wait for conditions, and use what modules offer to everybody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.paths import ROOT

FILES = sorted((ROOT / "tests").rglob("*.py"))
SLEEPS = {"time.sleep", "sleep", "asyncio.sleep"}
COUNTERS = {"num_ctx_switches", "voluntary", "involuntary"}
"""Counts of context switches: they depend on what else the machine does."""
CAPTURE = "tests/vcam_worker"
EXCEPTIONS = {
    "tests/e2e/test_trouble.py::test_a_cameras_network_is_cut": "the trouble itself lasts so long",
    f"{CAPTURE}/runtime/test_volume.py::assert_packets_received_while_the_volume_hung_are_analysed": (
        "a hang of that length"
    ),
    f"{CAPTURE}/runtime/test_cameras_watch.py::test_an_edit_is_taken_over_and_other_cameras_are_not_touched": (
        "an editor that writes in two steps"
    ),
    f"{CAPTURE}/stream/protocols/test_rtsp_quirks.py::late": "a camera that answers late",
    f"{CAPTURE}/stream/protocols/test_tls_cameras.py::test_what_tls_says_for_itself_keeps_no_request_waiting": (
        "a client that asks late"
    ),
    f"{CAPTURE}/web/test_http_limits.py::test_an_answer_that_is_not_read_is_given_up": "a client that reads late",
    "tests/notebooks/review/test_review_widget.py::_tell": "ipywidgets has no public way in for what a page sends",
    "tests/shared_utils/queue/test_rq_contract.py::test_what_is_called_or_overridden_takes_these_parameters": (
        "the internals of RQ that shared_utils/queue relies on"
    ),
}
"""Function, and the reason why it does what is forbidden."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _is_private(name: str) -> bool:
    # _repr_html_ and its like are IPython's protocol
    return name.startswith("_") and not name.startswith("__") and not name.endswith("_")


def _within(node: ast.AST, loops: int = 0, function: str = "") -> Iterator[tuple[ast.AST, int, str]]:
    """Yield every node with the loops around it within its function, and the name of that function."""
    for child in ast.iter_child_nodes(node):
        inside, name = loops, function
        if isinstance(child, ast.While | ast.For | ast.AsyncFor):
            inside += 1
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside, name = 0, getattr(child, "name", function)
        yield child, inside, name
        yield from _within(child, inside, name)


def _faults(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the function and what is wrong in it."""
    for node, loops, function in _within(ast.parse(path.read_text(encoding="utf-8"))):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            if _is_private(node.attr) and not own and ast.unparse(node) != "os._exit":
                yield function, f"line {line}: {ast.unparse(node)} is private"
            if node.attr in COUNTERS:
                yield function, f"line {line}: context switches are no measure"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if _is_private(alias.name):
                    yield function, f"line {line}: {alias.name} is private"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in SLEEPS and not loops:
                yield function, f"line {line}: {ast.unparse(node)}: wait for a condition"
            if called.endswith("setattr"):
                for argument in node.args[:2]:
                    text = argument.value if isinstance(argument, ast.Constant) else None
                    if isinstance(text, str) and any(map(_is_private, text.split("."))):
                        yield function, f"line {line}: {text} is private"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_test_waits_for_conditions_and_leaves_what_is_private_alone(path: Path) -> None:
    wrong = [fault for function, fault in _faults(path) if f"{_name(path)}::{function}" not in EXCEPTIONS]
    assert not wrong, "\n".join(wrong)


def test_every_exception_is_still_needed() -> None:
    found = {f"{_name(path)}::{function}" for path in FILES for function, _ in _faults(path)}
    assert set(EXCEPTIONS) <= found
