"""Log messages of what all programs share, each with its stable code; see :class:`shared_utils.log.LogMessage`."""

from __future__ import annotations

from shared_utils.log import LogMessage

# the queue
JOB_KEY_MOVED_ASIDE = LogMessage(
    "job_key_moved_aside", "the key of the job %s in Redis held no job: it was moved aside"
)
CLIP_NAMES_UNUSABLE = LogMessage("clip_names_unusable", "left out, as their names cannot be used: %s")
QUEUE_GROWS = LogMessage("queue_grows", "the queue grows: %s; see docs/scaling.md for what makes analysis faster")
QUEUE_SHORT_AGAIN = LogMessage("queue_short_again", "the queue is short again: %s")
