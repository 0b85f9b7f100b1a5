"""Patterns that find log messages in a program's output, made from the messages themselves."""

from __future__ import annotations

import re

from shared_utils.log import LogMessage

PLACEHOLDER = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgx]")


def line_of(message: LogMessage, *arguments: str, who: str = "") -> str:
    """Return the pattern of a line of a program's log; each placeholder is a group.

    Args:
        message: what is logged.
        arguments: patterns of its placeholders, from the first on; the others may be anything.
        who: the camera or program that the line begins with, if that matters.
    """
    first, *rest = PLACEHOLDER.split(message)
    wanted = [*arguments, *[".*?"] * (len(rest) - len(arguments))]
    if rest and not rest[-1] and len(arguments) < len(rest):
        wanted[-1] = ".*"
    text = re.escape(first) + "".join(f"({one}){re.escape(part)}" for one, part in zip(wanted, rest, strict=True))
    return (rf" {re.escape(who)} +" if who else " ") + text.replace("%%", "%")


def line_of_any(*messages: LogMessage) -> str:
    """Return the pattern of a line that is any of some messages; its groups are not to be counted on."""
    return f"(?:{'|'.join(map(line_of, messages))})"
