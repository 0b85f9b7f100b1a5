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
        "values.align:Align",
        "values.pages:Pages",
        "zones.follow:Follow",
        "zones.objects:Objects",
        "zones.cross:Cross",
        "values.read:Read",
        "values.plugin:Plugin",
        "values.light:Light",
        "values.page:PageWatch",
        "brightness:Brightness",
    )
)
