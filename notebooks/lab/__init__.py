"""The library behind the notebooks: data frames, plots, players, widgets.

Cells stay short; what is long or tested lives here.

The Jupyter image holds a copy of its own, which is the one that notebooks import: the folder beside the notebooks is
mounted for editing them, and old notebooks there never meet new code by half.
"""

from shared_utils.former_names import FormerNames

FORMER_NAMES: dict[str, str | tuple[str, ...]] = {
    "notebooks.lab.activity": "notebooks.lab.data.activity",
    "notebooks.lab.answers": "notebooks.lab.data.answers",
    "notebooks.lab.batch": "notebooks.lab.jobs.batch",
    "notebooks.lab.checks": "notebooks.lab.jobs.checks",
    "notebooks.lab.clip": "notebooks.lab.media.clip",
    "notebooks.lab.compare": "notebooks.lab.tuning.compare",
    "notebooks.lab.compare_pictures": "notebooks.lab.tuning.compare_pictures",
    "notebooks.lab.dataset": "notebooks.lab.review.dataset",
    "notebooks.lab.download": "notebooks.lab.jobs.download",
    "notebooks.lab.draw": "notebooks.lab.media.draw",
    "notebooks.lab.export": "notebooks.lab.media.export",
    "notebooks.lab.film_files": "notebooks.lab.jobs.video_files",
    "notebooks.lab.finetune": "notebooks.lab.review.finetune",
    "notebooks.lab.grab": "shared_utils.media.grabber",
    "notebooks.lab.isolated": "notebooks.lab.tuning.isolated",
    "notebooks.lab.isolated_pictures": "notebooks.lab.tuning.isolated_pictures",
    "notebooks.lab.jpeg": "notebooks.lab.media.jpeg",
    "notebooks.lab.label_files": ("notebooks.lab.review.label_changes", "shared_utils.contracts.labels"),
    "notebooks.lab.labels": "notebooks.lab.data.labels",
    "notebooks.lab.matching": "notebooks.lab.data.matching",
    "notebooks.lab.motion_pictures": "notebooks.lab.tuning.motion_pictures",
    "notebooks.lab.motion_tuning": "notebooks.lab.tuning.motion_tuning",
    "notebooks.lab.oneday": "notebooks.lab.data.oneday",
    "notebooks.lab.page_pictures": "notebooks.lab.review.page_pictures",
    "notebooks.lab.picker": "notebooks.lab.viewer.picker",
    "notebooks.lab.places": "notebooks.lab.jobs.places",
    "notebooks.lab.player": "notebooks.lab.viewer.player",
    "notebooks.lab.questions": "notebooks.lab.review.questions",
    "notebooks.lab.queue_panel": "notebooks.lab.jobs.queue_panel",
    "notebooks.lab.reach": "notebooks.lab.jobs.reach",
    "notebooks.lab.review_session": "notebooks.lab.review.review_session",
    "notebooks.lab.send": "notebooks.lab.jobs.send",
    "notebooks.lab.sheet": "notebooks.lab.media.sheet",
    "notebooks.lab.style": "notebooks.lab.plots.style",
    "notebooks.lab.sweep": "notebooks.lab.tuning.sweep",
    "notebooks.lab.sweep_pictures": "notebooks.lab.tuning.sweep_pictures",
    "notebooks.lab.tables": "notebooks.lab.data.tables",
    "notebooks.lab.timeline": "notebooks.lab.viewer.timeline",
    "notebooks.lab.track_labels": "notebooks.lab.data.track_labels",
    "notebooks.lab.words": "notebooks.lab.data.words",
}

FormerNames(FORMER_NAMES).install()
