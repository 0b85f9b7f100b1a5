"""A video folder as after a week of the demo: ``python -m devtools.sample_volume DIR``.

For notebooks, tests and screenshots. Everything in it is made by the code that makes the real thing: the drawn street
is encoded, capture's recorder cuts the clips, and the worker's job analyses them with the scene's own model. Only the
time of day is put on: clips are dated over the last days, as busy as a street is by the hour. The same seed and end
give the same folder, but for the seconds that the analysis took.

In it: clips of two cameras, ``detections_log.jsonl`` (some clips analysed twice, with another threshold; one that
is broken; one line of old, with five keys, whose clip is gone), boxes files, and ``cameras_log.jsonl`` with a power
cut of all cameras and times in which one was away. Some clips have labels, for precision and recall: what the scene
drew in each analysed frame, and the files say that it was the scene, not a person.

Both cameras have zones in which people and vehicles are counted. A third one looks at the drawn control panel and
records no clips: its readings of the last day are in ``events_log.jsonl``. No engine read them, which would take hours:
they are the scene's truth, a display in glare is unreadable, a few digits are misread, and the live worker's own rules
decide which of them become events.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devtools.sample_volume.analysis import analyse
from devtools.sample_volume.camera_log import write_camera_log
from devtools.sample_volume.clips import record_clip
from devtools.sample_volume.labels import labels_of, spread
from devtools.sample_volume.live import write_live
from devtools.sample_volume.plan import CAMERAS, Plan, moments_of
from devtools.sample_volume.zones import write_street_zones
from shared_utils.contracts.camera_log import camera_log_path
from shared_utils.contracts.labels import write_labels
from video_worker.pipeline.cores import share_of_cores


def make_volume(folder: Path, plan: Plan, say: Callable[[str], None] = lambda _: None) -> None:
    """Fill the empty `folder`."""
    moments = [(camera, number, moment) for camera in CAMERAS for number, moment in enumerate(moments_of(plan, camera))]
    with tempfile.TemporaryDirectory() as drafts, ThreadPoolExecutor(share_of_cores(1)) as pool:
        tasks = [
            pool.submit(record_clip, folder, Path(drafts) / f"{camera}-{number}.mp4", plan, camera, number, moment)
            for camera, number, moment in moments
        ]
        found = [clip for task in tasks if (clip := task.result())]
    found.sort(key=lambda clip: str(clip.name))
    clips = [clip.name for clip in found]
    say(f"{len(clips)} clips recorded")
    write_camera_log(camera_log_path(folder), plan)
    write_street_zones(folder)
    write_live(folder, plan)
    analyse(folder, plan, clips)
    for clip in spread(found, plan.labelled):
        write_labels(folder, labels_of(folder, plan, clip))
