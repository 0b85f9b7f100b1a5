"""What the tasks of zones need besides a detector: engines that read, threads, modules of people's own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from shared_utils.config.folders import plugins_path
from shared_utils.log import camera_logger
from video_worker import messages
from video_worker.pipeline.work_pool import WorkPool
from video_worker.plugins.registry import Plugins
from video_worker.readers.base import TextReaders
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings
from video_worker.steps.context import StepContext

MAX_PROBLEMS = 1000
"""Problems that are remembered, so that each is logged once."""
MAX_REASONS = 20
"""Of them, for one zone or page: a service may give a new reason each time, and those of others are still logged."""
MAX_PROBLEM = 500
"""Characters of one."""


class ZoneProblems:
    """Logs why tasks of zones cannot be carried out: each reason once, however often it is reported."""

    def __init__(self) -> None:
        self._known: set[tuple[str | None, str, str]] = set()
        self._lock = threading.Lock()

    def report(self, camera: str | None, affected: str, problem: str) -> None:
        """Take note of a problem.

        Args:
            camera: name of the camera; None where none is known.
            affected: what cannot be carried out, such as ``zone gate``, or ``page menu``.
            problem: one line for people.
        """
        one = camera, affected, problem[:MAX_PROBLEM]
        with self._lock:
            if one in self._known or len(self._known) >= MAX_PROBLEMS:
                return
            if sum(known[:2] == one[:2] for known in self._known) >= MAX_REASONS:
                return
            self._known.add(one)
        camera_logger(__name__, camera or "").warning(messages.ZONE_NOT_READ, affected, one[-1])


@dataclass(frozen=True)
class ZoneTools:
    """What all runs of a program share.

    Attributes:
        readers: engines that read text; None for none.
        plugins: modules of people's own; None for none.
        pool: threads for slow work; None to do it at once.
        remote_pool: threads that wait for other machines; None for `pool`.
        problems: logs what goes wrong.
    """

    readers: TextReaders | None = None
    plugins: Plugins | None = None
    pool: WorkPool | None = None
    remote_pool: WorkPool | None = None
    problems: ZoneProblems = field(default_factory=ZoneProblems)

    @classmethod
    def from_env(cls, values: Mapping[str, str], threads: int) -> ZoneTools:
        """Return the tools of a program, by its settings.

        Args:
            values: the environment.
            threads: threads for slow work.

        Raises:
            SettingError: a setting is wrong.
        """
        plugins = Plugins(plugins_path(values))
        readers = ReaderRegistry(ReaderSettings.from_env(values))
        return cls(readers, plugins, WorkPool(threads), WorkPool(threads, "remote"))

    def added_to(self, context: StepContext) -> StepContext:
        """Return the context of a run with these tools in it."""
        report = partial(self.problems.report, context.camera)
        return replace(
            context,
            readers=self.readers,
            plugins=self.plugins,
            pool=self.pool,
            remote_pool=self.remote_pool,
            report_problem=report,
        )
