"""Log messages have codes, and docs/operations.md explains the code of each warning and error."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from devtools.paths import ROOT
from shared_utils.log import LogMessage

CATALOGUES = {
    "shared_utils": "shared_utils.messages",
    "vcam_worker": "vcam_worker.messages",
    "video_worker": "video_worker.messages",
    "camera_emulator": "camera_emulator.messages",
    "notebooks/lab": "notebooks.lab.messages",
}
HARMLESS = {"debug", "info"}
METHODS = {"warning": 0, "error": 0, "exception": 0, "critical": 0, "info": 0, "debug": 0, "log": 1}
"""Of a logger, with the place of the message among its arguments."""


def _catalogue(module: str) -> dict[str, LogMessage]:
    names = vars(importlib.import_module(module))
    return {name: value for name, value in names.items() if isinstance(value, LogMessage)}


def _all_messages() -> list[LogMessage]:
    return [message for module in CATALOGUES.values() for message in _catalogue(module).values()]


def _trees(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _logging_calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, ast.expr]]:
    """Yield the calls of loggers, with their method and what they log."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        place = METHODS.get(node.func.attr)
        if place is not None and "log" in ast.unparse(node.func.value).lower() and len(node.args) > place:
            yield node, node.func.attr, node.args[place]


def _constant(node: ast.expr) -> str | None:
    """Return the name of a catalogue's constant; None for anything else."""
    is_constant = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "messages"
    return node.attr if is_constant and isinstance(node, ast.Attribute) else None


def _uses() -> Counter[tuple[str, bool]]:
    """Count how often each constant is used, by whether that is in a call that logs it as harmless."""
    uses: Counter[tuple[str, bool]] = Counter()
    for package in CATALOGUES:
        for _, tree in _trees(package):
            harmless = {id(what) for _, method, what in _logging_calls(tree) if method in HARMLESS}
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and (name := _constant(node)):
                    uses[name, id(node) in harmless] += 1
    return uses


def _documented() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("### Every message") : text.index("Reasons that")]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


@pytest.mark.parametrize("package", CATALOGUES)
def test_what_is_logged_comes_from_the_programs_catalogue(package: str) -> None:
    known = _catalogue(CATALOGUES[package])
    wrong = [
        f"{file}:{call.lineno}: {ast.unparse(what)}"
        for file, tree in _trees(package)
        for call, method, what in _logging_calls(tree)
        # what is passed through, by a name of its own, was a constant where it was passed
        if method != "debug" and _constant(what) not in known and not isinstance(what, ast.Name)
    ]
    assert not wrong


def test_no_logging_method_is_called_by_another_name() -> None:
    """Where it is, the messages that it logs escape the other tests."""
    renamed = []
    for package in CATALOGUES:
        for file, tree in _trees(package):
            called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
            renamed += [
                f"{file}:{node.lineno}"
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute)
                and node.attr in METHODS.keys() - {"log"}
                and id(node) not in called
                and re.search(r"\blog(ger)?$", ast.unparse(node.value).lower())
            ]
    assert not renamed


def test_codes_are_unique_and_every_message_is_used() -> None:
    codes = Counter(message.code for message in _all_messages())
    assert [code for code, count in codes.items() if count > 1] == []
    used = {name for name, _ in _uses()}
    for module in CATALOGUES.values():
        assert set(_catalogue(module)) <= used, module


def test_constants_are_named_after_their_codes() -> None:
    for module in CATALOGUES.values():
        assert {name: message.code for name, message in _catalogue(module).items()} == {
            name: name.lower() for name in _catalogue(module)
        }


def test_every_warning_and_error_is_in_the_table_and_nothing_unknown() -> None:
    documented = _documented()
    assert len(documented) == len(set(documented))
    codes = {message.code for message in _all_messages()}
    assert set(documented) <= codes, set(documented) - codes
    # what is passed through may be logged as anything
    alarming = {name.lower() for name, is_harmless in _uses() if not is_harmless}
    assert alarming - {"connected_again", "queue_short_again"} <= set(documented), alarming - set(documented)


def test_every_message_takes_what_it_is_given() -> None:
    """Count placeholders and arguments where both are plain."""
    known = {name: message for module in CATALOGUES.values() for name, message in _catalogue(module).items()}
    wrong = []
    for package in CATALOGUES:
        for file, tree in _trees(package):
            for call, method, what in _logging_calls(tree):
                arguments = call.args[METHODS[method] + 1 :]
                name = _constant(what)
                if name and not any(isinstance(one, ast.Starred) for one in arguments):
                    try:
                        _ = known[name] % tuple(_Anything() for _ in arguments)
                    except TypeError as error:
                        wrong.append(f"{file}:{call.lineno}: {error}")
    assert not wrong


class _Anything(float):
    """Fits every placeholder."""


def test_the_reasons_of_no_picture_are_in_the_code() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("Reasons that") : text.index("## What to do when")]
    rows = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    source = "\n".join(
        path.read_text(encoding="utf-8").replace("can not", "cannot")
        for package in ("vcam_worker", "shared_utils")
        for path in (ROOT / package).rglob("*.py")
    )
    assert rows
    gone = [row for row in rows for part in row.split("…") if len(part.strip()) > 3 and part.strip(" ()") not in source]
    assert not gone
