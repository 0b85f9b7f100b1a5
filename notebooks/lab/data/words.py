"""Formats counts for titles and answers."""

from __future__ import annotations


def how_many(count: int, name: str) -> str:
    """Return "1 clip", "2 clips", "1,000 clips"."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"
