"""Log messages of the worker, each with its stable code; see :class:`shared_utils.log.LogMessage`.

docs/operations.md explains those that are warnings or errors.
"""

from __future__ import annotations

from shared_utils.log import LogMessage

# the worker as a whole
WORKER_READY = LogMessage("worker_ready", "ready: %s; queue %s at %s")
WORKER_STOPPED = LogMessage("worker_stopped", "stopped")
WORKER_REDIS_UNREACHABLE = LogMessage("worker_redis_unreachable", "%s; trying until it is")
WORKER_REDIS_BACK = LogMessage("worker_redis_back", "Redis at %s is back")

# jobs
CLIP_ANALYSED = LogMessage("clip_analysed", "%s: %s")
CLIP_ANALYSED_BEFORE = LogMessage(
    "clip_analysed_before", "%s: is in the log already: its worker was interrupted after writing it"
)
STEP_TIMES = LogMessage("step_times", "%s: seconds by step: %s")
ZONES_WRONG = LogMessage("zones_wrong", "%s; clips are analysed with the last good revision, or without zones")
ZONES_RIGHT_AGAIN = LogMessage("zones_right_again", "the zones of camera %s are right again")
ZONE_LABEL_UNKNOWN = LogMessage("zone_label_unknown", "%s, which model %s does not know: it counts none of them")
ZONE_TASKS_LEFT_OUT = LogMessage(
    "zone_tasks_left_out", 'tasks for live frames alone are left out: %s; "when": "both" carries them out in clips too'
)
ZONE_NOT_READ = LogMessage("zone_not_read", "%s: %s")
CAMERA_MOVED = LogMessage(
    "camera_moved", "the camera was moved too far: nothing is read until it is back, or %s has saved a new reference"
)
CAMERA_FOUND_AGAIN = LogMessage("camera_found_again", "the zones are found again")
CLIP_FAILED = LogMessage("clip_failed", "%s: failed: %s")
ANALYSIS_CRASHED = LogMessage("analysis_crashed", "%s: failed unexpectedly")
RESULT_NOT_WRITTEN = LogMessage("result_not_written", "%s: cannot be logged: %s; tried again in %d s")
JOB_TRIED_AGAIN = LogMessage("job_tried_again", "%s: %s; tried again in %d s")
JOB_HANDED_BACK = LogMessage("job_handed_back", "%s: handed back to the queue, as the worker stops")
JOB_REFUSED = LogMessage("job_refused", "%s: %s")
JOB_STALLED = LogMessage(
    "job_stalled",
    "%s: no progress for %.0f s, it hangs in reading, decoding or inference; the worker ends itself",
)
JOB_NOT_CONCLUDED = LogMessage("job_not_concluded", "%s: could not be concluded")

# the live worker
LIVE_READY = LogMessage("live_ready", "ready: %s; frames from %s, events to %s")
LIVE_STOPPED = LogMessage("live_stopped", "stopped")
LIVE_CAMERA_SERVED = LogMessage("live_camera_served", "live: %s")
LIVE_CAMERA_LEFT = LogMessage("live_camera_left", "live: no longer wanted")
LIVE_CAMERA_REFUSED = LogMessage("live_camera_refused", "live: cannot be analysed: %s")
LIVE_CAMERA_FAILED = LogMessage("live_camera_failed", "live: the analysis failed; tried again in %d s")
LIVE_EVENT = LogMessage("live_event", "%s %s%s%s (%.1f s after it happened)")
LIVE_CAPTURE_AWAY = LogMessage(
    "live_capture_away", "capture does not say which cameras there are: %s; trying until it does"
)
LIVE_CAPTURE_BACK = LogMessage("live_capture_back", "capture says again which cameras there are")
LIVE_PLANS_FAILED = LogMessage("live_plans_failed", "following the cameras failed")
LIVE_ZONES_WRONG = LogMessage("live_zones_wrong", "%s; the zones before stay in force")
LIVE_ZONES_RIGHT_AGAIN = LogMessage("live_zones_right_again", "%s is right again")
LIVE_FRAMES_MISSING = LogMessage("live_frames_missing", "no live frames: %s; trying again until there are some")
LIVE_FRAMES_AGAIN = LogMessage("live_frames_again", "live frames again")
LIVE_READER_FAILED = LogMessage("live_reader_failed", "reading live frames failed")
LIVE_FRAME_UNDECODABLE = LogMessage("live_frame_undecodable", "a live frame cannot be decoded: %s; it is skipped")
LIVE_FRAMES_DECODABLE_AGAIN = LogMessage("live_frames_decodable_again", "live frames can be decoded again")
LIVE_TOO_SLOW = LogMessage(
    "live_too_slow",
    "too little CPU: %.1f frames per second and camera are analysed instead of %.1f; fewer are asked for from now on",
)
LIVE_RATE = LogMessage("live_rate", "%.1f frames per second and camera are asked for")
LIVE_FAST_AGAIN = LogMessage("live_fast_again", "CPU enough again: %.1f frames per second and camera are asked for")
LIVE_STATE_UNUSABLE = LogMessage("live_state_unusable", "the saved state cannot be used: %s begins anew")
LIVE_STATE_UNREADABLE = LogMessage(
    "live_state_unreadable", "%s; the camera goes on without: what stands there may be reported once more"
)
LIVE_STATE_AWAY = LogMessage(
    "live_state_away", "live: the saved state cannot be read: %s; tried again every %d s, until it can"
)
LIVE_NOT_WRITTEN = LogMessage(
    "live_not_written", "events or states cannot be written: %s; they are kept and written later"
)
LIVE_WRITTEN_AGAIN = LogMessage(
    "live_written_again", "events and states are written again; %d events were lost meanwhile"
)
LIVE_JOURNAL_FAILED = LogMessage("live_journal_failed", "an event or state could not be written, and is dropped")

# jobs of workers that have died, and lists that were deleted
JOB_ABANDONED = LogMessage("job_abandoned", "%s: its worker is gone, queued again (%d tries left)")
JOBS_FOUND_AGAIN = LogMessage("jobs_found_again", "%d jobs that no list in Redis named any more were queued again")
LEASE_RENEWAL_FAILED = LogMessage("lease_renewal_failed", "renewing the worker's leases failed: %r")
MAINTENANCE_FAILED = LogMessage("maintenance_failed", "maintenance of the queue, %s: %r")
JOB_MAINTENANCE_FAILED = LogMessage(
    "job_maintenance_failed", "maintenance of the queue, %s, entry %r: %r; the job is queued as it is"
)

# what others wrote into the queue
ENTRY_WITHOUT_ID = LogMessage("entry_without_id", "refused: the queue names a job %r, which is no id")
ENTRY_WITHOUT_JOB = LogMessage("entry_without_job", "refused: %s names a job %r, which is none")
JOB_OF_WRONG_TYPE = LogMessage("job_of_wrong_type", "refused: the job %s is a %s; it was moved aside")
JOB_WITHOUT_CALL = LogMessage("job_without_call", "refused: the job %s calls no function; it was moved aside")
KEY_MOVED_ASIDE = LogMessage("key_moved_aside", "in Redis %s, which this queue cannot use: it was moved aside")
FURTHER_REPORTS = LogMessage("further_reports", "… and %d more like that in the last %.0f min")

# training of the reader of seven-segment displays
TRAINING = LogMessage("training", "batch %d of %d: loss %.4f, %.0f s")
READER_MEASURED = LogMessage(
    "reader_measured", "%s, confidence from %.2f: exact %.2f %%, unreadable %.2f %%, wrong %.2f %%"
)
READER_TIMED = LogMessage("reader_timed", "%s: %.2f ms of one core per reading")
READER_WRITTEN = LogMessage("reader_written", "%s: %d bytes, %.1f min in all")
