"""What takes minutes and a Docker engine runs only when asked for by name, as .ci/run does."""

from __future__ import annotations

import pytest

LONG = ("test_two_hosts", "test_rebuild")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = [name for name in LONG if any(name in argument for argument in config.invocation_params.args)]
    left_out = [item for item in items if item.path.stem in LONG and item.path.stem not in asked]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
