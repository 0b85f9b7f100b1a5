"""Log messages of the camera emulator, each with its stable code; see :class:`shared_utils.log.LogMessage`."""

from __future__ import annotations

from shared_utils.log import LogMessage

# the camera
VIEWERS = LogMessage("viewers", "viewers: %d")
REQUEST_FAILED = LogMessage("request_failed", "request of %s failed: %s")
FILE_DAMAGED = LogMessage("file_damaged", "%s is damaged after %.1f s (%s): starting again from the beginning")

# training of its model
FRAMES_RENDERED = LogMessage("frames_rendered", "%s: %d frames rendered")
MODEL_MEASURED = LogMessage("model_measured", "imgsz %d: mAP50 %.4f, mAP50-95 %.4f (AP50: %s)")
MODEL_TRAINED = LogMessage("model_trained", "trained and exported %.1f min after the start")
MODEL_WRITTEN = LogMessage("model_written", "%s: %d bytes, %.1f min in all")
