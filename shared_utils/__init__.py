"""What two or more programs use: settings, contracts, the queue, media, logging."""

from shared_utils.former_names import FormerNames

FORMER_NAMES: dict[str, str | tuple[str, ...]] = {
    "shared_utils.camera_log": "shared_utils.contracts.camera_log",
    "shared_utils.cameras": ("shared_utils.config.cameras", "shared_utils.config.cameras_file"),
    "shared_utils.clips": (
        "shared_utils.contracts.clips",
        "shared_utils.contracts.sidecars",
        "shared_utils.contracts.boxes",
        "shared_utils.contracts.detections_log",
    ),
    "shared_utils.detections_log": "shared_utils.contracts.detections_log",
    "shared_utils.job_bars": "notebooks.lab.jobs.job_bars",
    "shared_utils.job_states": "shared_utils.queue.job_states",
    "shared_utils.jobs": "shared_utils.queue.jobs",
    "shared_utils.log_lines": "notebooks.lab.data.log_lines",
    "shared_utils.results": ("notebooks.lab.data.results", "notebooks.lab.events"),
    "shared_utils.schemas": (
        "shared_utils.contracts.json_lines",
        "shared_utils.contracts.record",
        "shared_utils.contracts.job_options",
        "shared_utils.config.job_options",
    ),
}

FormerNames(FORMER_NAMES).install()
