"""A failure caused on purpose: its clock, what is checked afterwards, and its row of the report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devtools.audit import Auditor
from devtools.compose import Project, wait_for

SETTLE_TIMEOUT_S = 150.0
"""Longest until all that was on the volume has its line: more than a dead worker's lease, its start and a job."""

HEADER = ("trouble", "what was done", "back after", "healthy after", "clips", "lines", "failed", "lost", "verdict")


@dataclass
class Row:
    """A line of the report."""

    trouble: str
    done: str
    back_s: float | None = None
    healthy_s: float | None = None
    clips: int = 0
    lines: int = 0
    failed: int = 0
    lost_s: float | None = None
    verdict: str = "did not get so far"

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, in the order of :data:`HEADER`."""
        seconds = (f"{value:.1f} s" if value is not None else "" for value in (self.back_s, self.healthy_s))
        lost = f"{self.lost_s:.1f} s" if self.lost_s is not None else ""
        counts = (str(self.clips), str(self.lines), str(self.failed))
        return (self.trouble, self.done, *seconds, *counts, lost, self.verdict)


@dataclass
class Report:
    """All rows, and facts that stand for themselves."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the report as Markdown."""
        table = [HEADER, *(row.cells() for row in self.rows)]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADER))]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
            for row in table
        ]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]) + "\n"

    def write(self, folder: str | None, project: Project) -> None:
        """Print the report; keep it, with the clips' log, in `folder`."""
        project.say("report\n\n" + self.text())
        if folder:
            kept = Path(folder)
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "e2e-report.md").write_text(self.text())


@dataclass
class Incident:
    """The clock of one trouble."""

    row: Row
    began: float = field(default_factory=time.time)
    ended: float | None = None

    def over(self) -> None:
        """What makes the trouble is gone: from now on the pipeline has to get well."""
        self.ended = time.time()

    def back(self) -> None:
        """The pipeline does again what the trouble kept it from."""
        self.row.back_s = time.time() - (self.ended or self.began)


@dataclass
class Running:
    """The running project, and what its tests share.

    Attributes:
        project: the project.
        auditor: of its volume.
        report: the report.
        has_small_volume: whether the volume may be filled to the brim.
        watched: camera in front of which something always moves; None as long as there is none.
    """

    project: Project
    auditor: Auditor
    report: Report
    has_small_volume: bool
    watched: str | None = None
    jobs: list[str] = field(default_factory=list)

    @contextmanager
    def incident(self, trouble: str, done: str) -> Iterator[Incident]:
        """Make a trouble in this context; afterwards the pipeline must get well by itself, and nothing be lost."""
        self.project.say(f"{trouble}: {done}")
        incident = Incident(Row(trouble, done))
        self.report.rows.append(incident.row)
        yield incident
        if incident.row.back_s is None:
            incident.back()
        row = incident.row
        well = time.time()
        self.project.wait_healthy()
        row.healthy_s = time.time() - (incident.ended or incident.began)
        row.verdict = "; ".join(self.check(row)) or "ok"
        watched = self.watched
        if watched:
            wait_for(lambda: self.auditor.reaches(watched, well), SETTLE_TIMEOUT_S, f"a clip of {watched}")
            row.lost_s = self.auditor.lost(watched, incident.began)
        self.project.say(f"{trouble}: back after {row.back_s:.1f} s, {row.verdict}")
        assert row.verdict == "ok"

    def check(self, row: Row) -> list[str]:
        """Wait until all that is on the volume now is analysed; return what is wrong with it."""
        names = self.auditor.clips()
        wait_for(
            lambda: self.auditor.analysed(names, self.jobs),
            SETTLE_TIMEOUT_S,
            lambda: "; ".join(self.auditor.audit(names, [], self.jobs).findings),
        )
        saved = self.project.logs("capture").splitlines()
        found = self.auditor.audit(names, saved, self.jobs)
        row.clips, row.lines, row.failed = found.clips, found.lines, found.failed
        return found.findings
