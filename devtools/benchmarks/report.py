"""The report of a benchmark: a table for people, and JSON for comparing."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """A figure: what was asked for, and whether it is met (None where nothing was asked)."""

    name: str
    value: float
    unit: str
    wanted: str = ""
    met: bool | None = None


@dataclass
class Report:
    """All that was measured; `detail` has the single runs."""

    machine: dict[str, object] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        most: float | None = None,
        least: float | None = None,
        target: str = "",
    ) -> None:
        """Add a figure, and print it."""
        met = None
        if most is not None:
            met, target = value <= most, target or f"at most {most:g}"
        if least is not None:
            met, target = value >= least, target or f"at least {least:g}"
        self.rows.append(Row(name, round(value, 4), unit, target, met))
        verdict = {True: "met", False: "MISSED", None: ""}[met]
        print(f"{name:<66} {value:>9.3f} {unit:<12} {target:<15} {verdict}".rstrip(), flush=True)

    def value(self, name: str) -> float:
        """Return a figure that was added."""
        return next(row.value for row in self.rows if row.name == name)

    def skip(self, what: str, reason: str) -> None:
        """Say that something was left out."""
        self.detail.setdefault("left out", {})[what] = reason
        print(f"{what}: left out, {reason}", flush=True)

    def announce(self) -> None:
        """Print what it was measured on."""
        print(" ".join(f"{key}={value}" for key, value in self.machine.items()), flush=True)

    def save(self, path: Path) -> None:
        """Write all of it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        print(f"written to {path}")


def describe_machine() -> dict[str, object]:
    """Return time, cores, load and processor, for whoever compares reports."""
    return {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "cpu": platform.processor() or platform.machine(),
    }
