"""Text files that people edit, on any system. Standard library only.

Windows editors write a byte order mark first, or save as UTF-16; either would become part of the first name.
"""

from __future__ import annotations

import codecs
from pathlib import Path

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""UTF-32 LE begins like UTF-16 LE."""


def decode_text(data: bytes) -> str:
    """Return the text of a file's bytes: UTF-8, without a byte order mark, lines ended by a newline.

    Raises:
        ValueError: it is not UTF-8; the text says which line, and what to do.
    """
    if data.startswith(_WIDE_MARKS) or b"\0" in data:
        raise ValueError("is saved as UTF-16: save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8 in line {line}: save it as UTF-8") from None
    return text.replace("\r\n", "\n")


def read_text(path: Path) -> str:
    """Return the text of the file at `path`, as :func:`decode_text` does.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    return decode_text(path.read_bytes())
