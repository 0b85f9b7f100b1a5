"""The steps of the analysis, in their order. A new one is a file here and a line in the list."""

import pkgutil

from video_worker.steps.base import Step

STEPS: tuple[type[Step], ...] = tuple(
    pkgutil.resolve_name(f"{__name__}.{name}")
    for name in (
        "detect:Detect",
        "cuts:Cuts",
        "track:Track",
        "first_sight:FirstSight",
        # a step that adds values to boxes comes before this one, which writes them
        "boxes:Boxes",
        "summarise:Summarise",
        "zones.align:Align",
        "zones.pages:Pages",
        "zones.follow:Follow",
        "zones.objects:Objects",
        "zones.cross:Cross",
        "zones.read:Read",
        "zones.plugin:Plugin",
        "zones.light:Light",
        "zones.page:PageWatch",
        "brightness:Brightness",
    )
)
