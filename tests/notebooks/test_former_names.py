"""Notebooks of users go on working: every name that a notebook or document of an earlier version imports is there."""

from __future__ import annotations

from importlib import import_module

import pytest

# module: names, as all earlier versions of notebooks/ and docs/ have them
IMPORTED = {
    "notebooks.lab": (
        "activity answers batch checks compare compare_pictures finetune isolated_pictures labels "
        "motion_pictures motion_tuning plots queue_panel style sweep sweep_pictures tables"
    ),
    "notebooks.lab.activity": "clips_of sightings_of",
    "notebooks.lab.answers": "how_often summary",
    "notebooks.lab.batch": "choose configurations run summary usual_options",
    "notebooks.lab.checks": "attempt first_frame look",
    "notebooks.lab.clip": "Clip",
    "notebooks.lab.compare": "against_truth load pair",
    "notebooks.lab.compare_pictures": (
        "agreement_picture classes_picture gallery matrix_picture seconds_picture truth_picture"
    ),
    "notebooks.lab.dataset": "export_dataset",
    "notebooks.lab.export": "Cut export_gif export_mp4",
    "notebooks.lab.finetune": (
        "Plan TRAINING_FOLDER class_names history publish start_weights train usual_model what_is_missing"
    ),
    "notebooks.lab.isolated": "Isolated differences worker_values",
    "notebooks.lab.isolated.Isolated": "look_at as_frame run run_command",
    "notebooks.lab.isolated_pictures": "letterboxed nms raw_output sampling tracks",
    "notebooks.lab.jpeg": "as_jpeg",
    "notebooks.lab.labels": "read",
    "notebooks.lab.motion_pictures": "area_picture cost_picture score_picture settings_picture threshold_slider",
    "notebooks.lab.motion_tuning": (
        "SHORT at_threshold best env_lines footage grid moments moments_of_runs table toml_lines try_settings"
    ),
    "notebooks.lab.picker": "FilmPicker films",
    "notebooks.lab.places": "Places",
    "notebooks.lab.places.Places": "from_env",
    "notebooks.lab.player": "best_moment poster",
    "notebooks.lab.plots": "plot_days plot_heat plot_hours plot_labels plot_stays",
    "notebooks.lab.queue_panel": "FailedJobs attempt depth ping reasons shown who_works",
    "notebooks.lab.review": "open_review",
    "notebooks.lab.send": "DownloadForm SendForm run_file tried",
    "notebooks.lab.sheet": "contact_sheet",
    "notebooks.lab.style": "use",
    "notebooks.lab.sweep": (
        "best_f1 boxes_of by_class by_min_hits changes check detections hits holds judged on_the_edge "
        "runs_to_sweep steadiest thresholds"
    ),
    "notebooks.lab.sweep_pictures": "detections_picture hits_picture min_hits_picture truth_curve",
    "notebooks.lab.tables": "busiest first_and_last show",
    "notebooks.lab.timeline": "DayView",
    "notebooks.lab.tuning": "show_export show_history",
    "notebooks.lab.viewer": "Viewer",
    "shared_utils.cameras": "MotionSettings",
    "shared_utils.clips": "CLIP_SUFFIX LOG_NAME boxes_name list_clips",
    "shared_utils.config": "RedisSettings",
    "shared_utils.config.RedisSettings": "from_env",
    "shared_utils.detections_log": "read_records",
    "shared_utils.errors": "VcamError",
    "shared_utils.jobs": (
        "clip_queue connect counts enqueue_new_clip environment_queue failed_jobs redis_errors requeue "
        "requeue_all submit submit_many watch workers"
    ),
    "shared_utils.queue.recovery": "queue_left",
    "shared_utils.results": "boxes iter_boxes latest load_log objects uptime",
    "vcam_worker.replay": "trace",
}
CLASSES = [name for name in IMPORTED if name.rpartition(".")[2][0].isupper()]


@pytest.mark.parametrize("module", [name for name in IMPORTED if name not in CLASSES])
def test_what_notebooks_of_earlier_versions_import_is_there(module: str) -> None:
    found: dict[str, object] = {}
    for name in IMPORTED[module].split():
        exec(f"from {module} import {name}", found)  # as a notebook does: former names count only for imports
        assert found[name] is not None


@pytest.mark.parametrize("name", CLASSES)
def test_methods_that_notebooks_of_earlier_versions_call_are_there(name: str) -> None:
    module, _, owner = name.rpartition(".")
    there = dir(getattr(import_module(module), owner))
    assert set(IMPORTED[name].split()) <= set(there)


def test_a_name_that_never_was_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from shared_utils.config import no_such_name")


def test_a_former_name_is_the_same_object() -> None:
    found: dict[str, object] = {}
    exec("from shared_utils.config import RedisSettings", found)
    assert found["RedisSettings"] is import_module("shared_utils.config.redis").RedisSettings


def test_all_of_the_job_functions_are_imported_by_a_star() -> None:
    found: dict[str, object] = {}
    exec("from shared_utils.jobs import *", found)
    assert {"submit", "submit_many", "watch", "counts", "workers", "failed_jobs", "requeue", "requeue_all"} <= set(
        found
    )
