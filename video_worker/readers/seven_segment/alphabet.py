"""What a seven-segment display can say: the symbols that the network tells apart."""

from __future__ import annotations

NOTHING = 0
"""Index of the symbol that stands between two others and for nothing at all."""
BROKEN = "?"
"""A place where something is lit that is no symbol: cut off, hidden by glare, or caught while it changed."""
LETTERS = "CEFHLPnor"
"""Of messages such as ``Err``, ``Lo`` and ``25.3C``. Others look like digits: O, S, I, Z, g."""
SYMBOLS = ("", *"0123456789", *(f"{digit}." for digit in "0123456789"), ".", "-", ":", BROKEN, *LETTERS)
"""By index. A digit and the decimal point behind it are one symbol: the point is part of the digit's cell."""
