"""The steps of the analysis, in their order. A new one is a file here and a line in the list."""

from video_worker.steps.base import Step
from video_worker.steps.boxes import Boxes
from video_worker.steps.brightness import Brightness
from video_worker.steps.cuts import Cuts
from video_worker.steps.detect import Detect
from video_worker.steps.summarise import Summarise
from video_worker.steps.track import Track

STEPS: tuple[type[Step], ...] = (
    Detect,
    Cuts,
    Track,
    Boxes,
    Summarise,
    Brightness,
)
