"""The entry of every program: settings errors, exit codes, and signals."""

from __future__ import annotations

import sys
from collections.abc import Callable

from shared_utils.errors import EXIT_FAILED, EXIT_USAGE, SettingError, VcamError
from shared_utils.redact import mask_url


def run_program(program: str, main: Callable[[], int]) -> int:
    """Run `main` and return the exit code; an error of ours becomes one line on stderr.

    Args:
        program: its name, the start of that line.
        main: the work; returns an exit code.
    """
    try:
        return main()
    except SettingError as error:
        print(f"{program}: {mask_url(str(error))}", file=sys.stderr)  # noqa: T201  # no logging set up yet
        return EXIT_USAGE
    except VcamError as error:
        print(f"{program}: {mask_url(str(error))}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
