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

# the event stream
EVENTS_NOT_PUBLISHED = LogMessage(
    "events_not_published", "events are not published: %s; trying again until Redis takes them"
)
EVENTS_PUBLISHED_AGAIN = LogMessage("events_published_again", "events are published again; %d were dropped meanwhile")
EVENTS_DROPPED = LogMessage("events_dropped", "%d events were dropped, as they came faster than Redis takes them")
EVENTS_FAILED = LogMessage("events_failed", "events could not be published")
EVENT_UNUSABLE = LogMessage(
    "event_unusable", "an event of type %s cannot be published: %s; more of this type are dropped without a line"
)
EVENT_KEY_MOVED_ASIDE = LogMessage(
    "event_key_moved_aside", "the key %s in Redis could take no events (it was a %s): it was moved aside"
)
EVENTS_NOT_READ = LogMessage("events_not_read", "events are not read: %s; trying again until Redis answers")
EVENTS_READ_AGAIN = LogMessage("events_read_again", "events are read again")
EVENT_STREAM_LOST = LogMessage(
    "event_stream_lost", "Redis has lost events (%s); reading goes on with those that follow"
)
ENTRIES_SKIPPED = LogMessage(
    "entries_skipped", "entries of %s are skipped: %s; more of this kind are skipped without a line"
)
