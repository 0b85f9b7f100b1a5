"""The page's style sheet and scripts, as files that this server serves itself."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def read_assets() -> dict[str, tuple[bytes, str]]:
    """Return content and media type of each file, by its name."""
    return {one.name: (one.read_bytes(), MEDIA_TYPES[one.suffix]) for one in sorted(FOLDER.iterdir())}
