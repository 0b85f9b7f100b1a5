"""Log messages of capture, each with its stable code; see :class:`shared_utils.log.LogMessage`.

docs/operations.md explains those that are warnings or errors.
"""

from __future__ import annotations

from shared_utils.log import LogMessage

# capture as a whole
CAPTURE_STARTED = LogMessage("capture_started", "capture starts: %s; clips go to %s")
CAPTURE_STOPPED = LogMessage("capture_stopped", "capture stopped")
UNEXPECTED_ERROR = LogMessage("unexpected_error", "unexpected error")

# the cameras' file
CAMERAS_CHANGED = LogMessage("cameras_changed", "cameras.toml was changed; %s")
CAMERAS_FILE_WRONG = LogMessage("cameras_file_wrong", "%s; the cameras stay as they were")
CAMERAS_FILE_RIGHT_AGAIN = LogMessage("cameras_file_right_again", "%s is valid again")
CAMERAS_FILE_REPLACED = LogMessage(
    "cameras_file_replaced",
    "CAMERAS_FILE was replaced by another file, which a container that mounts only the file does not see: "
    "docker compose up -d --force-recreate capture, and let CAMERAS_FILE name the folder of cameras.toml",
)
CAMERAS_FILE_READABLE_BY_ALL = LogMessage(
    "cameras_file_readable_by_all", "%s holds passwords, and every user of this machine may read it: chmod 600 it"
)

# the cameras' zones
CAPTURE_ZONES_WRONG = LogMessage(
    "capture_zones_wrong", "%s; motion is ignored as the last good revision says, or nowhere without one"
)
CAPTURE_ZONES_RIGHT_AGAIN = LogMessage("capture_zones_right_again", "%s is right again")
MOTION_IGNORED = LogMessage("motion_ignored", "motion is ignored in: %s")
MOTION_IGNORED_EVERYWHERE = LogMessage(
    "motion_ignored_everywhere",
    "motion is ignored in all but %.2f %% of the picture, which is less than MOTION_MIN_AREA (%g): no motion will "
    "start a clip",
)

# the cameras' processes
CAMERA_PROCESS_ENDED = LogMessage("camera_process_ended", "%s; started again in %.0f s")
CAMERA_PROCESS_SILENT = LogMessage("camera_process_silent", "the camera's process has not responded for %.0f s: killed")
CAMERA_PROCESS_NOT_ENDING = LogMessage(
    "camera_process_not_ending", "the camera's process did not end within %.0f s: killed"
)
CAMERA_NEEDS_MEMORY = LogMessage(
    "camera_needs_memory", "the camera needs more memory than CAMERA_MEMORY_MB allows (%d MB)"
)
CONNECTION_HANGS = LogMessage("connection_hangs", "%s: the connection hangs in the video library")
VOLUME_HANGS = LogMessage(
    "volume_hangs",
    "the volume hangs: it has taken no data for %.0f s; packets are kept in memory meanwhile",
)
VOLUME_ANSWERS_AGAIN = LogMessage("volume_answers_again", "the volume takes data again")

# connections to cameras
CONNECTED = LogMessage("connected", "connected to %s: %s")
CONNECTED_AGAIN = LogMessage("connected_again", "%s is back after %.0f s: %s")
CONNECTION_STEADY_AGAIN = LogMessage("connection_steady_again", "the connection to %s is steady again")
CONNECTION_ENDS_HABITUALLY = LogMessage(
    "connection_ends_habitually",
    "%s keeps ending its connections (%s): each is made again at once, and not reported any more",
)
NO_PICTURE = LogMessage("no_picture", "no picture: %s; trying again until there is one")
NO_SUB_STREAM = LogMessage("no_sub_stream", "no sub-stream: %s; motion is detected in the main stream meanwhile")
FILE_ENDED = LogMessage("file_ended", "%s: the file is at its end")

# what cameras send
STREAM_LEFT_OUT = LogMessage("stream_left_out", "%s")
STREAM_CHANGED = LogMessage("stream_changed", "the camera changed its stream: %s%s")
PICTURE_RESTLESS = LogMessage(
    "picture_restless",
    "the camera keeps changing its stream format (%s): clips are encoded at %s, which takes CPU; "
    "set one resolution in the camera",
)
PICTURE_STEADY_AGAIN = LogMessage("picture_steady_again", "the camera keeps its stream format again: %s")
KEYFRAME_AWAITED = LogMessage("keyframe_awaited", "the camera's stream can be decoded from its next keyframe on")
NOT_DECODABLE = LogMessage("not_decodable", "%s: no motion is detected meanwhile")
DECODABLE_AGAIN = LogMessage("decodable_again", "the camera's stream can be decoded again")
LONG_GOPS = LogMessage(
    "long_gops",
    "the camera sends a keyframe %s: a clip can only begin at one, so it may begin %.0f s before its pre-roll "
    "and last %.0f s instead of %.0f s, and %.1f MB of the stream are kept in memory; %s",
)
GOP_TOO_LARGE = LogMessage(
    "gop_too_large",
    "the camera sends more than %d MB without a keyframe: motion after that starts a clip only at "
    "the next keyframe; %s",
)
SEGMENTS_MISSING = LogMessage(
    "segments_missing",
    "%.1f s of the stream are missing, as segments could not be fetched (%s): clips have a gap there; further gaps of "
    "this connection are not reported",
)
SUB_STREAM_OUT_OF_STEP = LogMessage(
    "sub_stream_out_of_step",
    "motion is detected in the main stream: HLS comes many seconds late, so url and detect_url have to be both HLS "
    "with the same target duration, or neither",
)
SOUND_CLOCK_STEPS = LogMessage(
    "sound_clock_steps", "the clock of the sound jumped by %+.1f s: sound is timed by its arrival"
)

# clips
CLIP_STARTED = LogMessage("clip_started", "motion seen%s: clip started, with %.1f s before it")
CLIP_STARTED_LATE = LogMessage("clip_started_late", "clip started at the first keyframe, %.1f s after its trigger")
CLIP_PENDING = LogMessage("clip_pending", "motion seen%s: the clip starts at the next keyframe")
CLIP_EXTENDED = LogMessage("clip_extended", "motion seen%s: the open clip goes on, as no keyframe has come")
CLIP_CONTINUED = LogMessage("clip_continued", "motion goes on: next clip started")
CLIP_SAVED = LogMessage("clip_saved", "clip saved: %s (%.1f s, %.1f MB)")
CLIP_NOT_FINISHED = LogMessage(
    "clip_not_finished", "a clip could not be finished: %s; what was recorded of it is saved"
)
CLIP_LEFT_OPEN = LogMessage("clip_left_open", "an open clip could not be finished: %s")
RECORDING_PAUSED = LogMessage("recording_paused", "recording paused: %s")
RECORDING_RESUMED = LogMessage("recording_resumed", "recording resumed")

# clips of the last run, and of cameras that are not configured any more
CLIP_RECOVERED = LogMessage("clip_recovered", "clip recovered that the last run left open: %s (%.1f s)")
CLIP_PUBLISHED_LATE = LogMessage("clip_published_late", "clip published that the last run had closed: %s")
CLIP_WITHOUT_GOP = LogMessage(
    "clip_without_gop", "a clip that the last run left open holds no whole GOP (%d bytes), kept as %s"
)
CLIP_GONE = LogMessage("clip_gone", "the clip %s should be queued, but is gone from %s")
RECOVERY_AT_NEXT_START = LogMessage(
    "recovery_at_next_start", "what could not be published is recovered at the next start"
)
RECOVERY_FAILED = LogMessage("recovery_failed", "%s cannot be recovered: %s; tried again at the next start")
LEFTOVERS_FOUND = LogMessage(
    "leftovers_found",
    "the camera %s is not configured any more; %d open and %d finished clips of it are taken over",
)
LEFTOVERS_NOT_TAKEN = LogMessage(
    "leftovers_not_taken",
    "clips of cameras that are not configured any more cannot be taken over (%s); trying until they can",
)
FOREIGN_FILE = LogMessage("foreign_file", "not a file of capture, left alone: %s")

# the outbox and the queue
JOB_QUEUED = LogMessage("job_queued", "job queued: %s%s")
REDIS_UNREACHABLE = LogMessage("redis_unreachable", "%s; recording goes on, clips wait in the outbox until it is back")
REDIS_UNREACHABLE_AT_START = LogMessage("redis_unreachable_at_start", "%s; recording goes on, clips wait in the outbox")
REDIS_BACK = LogMessage("redis_back", "Redis is back after %.0f s")
OUTBOX_GROWS = LogMessage(
    "outbox_grows",
    "%d clips wait in the outbox and cannot be queued: is Redis running (docker compose ps redis)?",
)
OUTBOX_EMPTY_AGAIN = LogMessage("outbox_empty_again", "the outbox is empty again")
OUTBOX_UNUSABLE = LogMessage("outbox_unusable", "the outbox cannot be read or written (%s); trying until it can")
OUTBOX_USABLE_AGAIN = LogMessage("outbox_usable_again", "the outbox can be read and written again")
QUEUE_WATCH_FAILED = LogMessage("queue_watch_failed", "the queue could not be polled")

# the volume
VOLUME_IN_USE = LogMessage(
    "volume_in_use",
    "another capture has taken VIDEO_DIR, since the lock's file was deleted: stop one of the two",
)
VOLUME_WITHOUT_LOCKS = LogMessage(
    "volume_without_locks",
    "the file system of VIDEO_DIR has no locks: make sure that no second capture records there",
)
VOLUME_WITHOUT_FSYNC = LogMessage(
    "volume_without_fsync",
    "the file system of VIDEO_DIR does not support fsync of a folder (%s): recording goes on, and a power cut may "
    "cost the name of the last clip",
)
VOLUME_UNREADABLE = LogMessage("volume_unreadable", "VIDEO_DIR cannot be listed: %s")
VOLUME_READABLE_AGAIN = LogMessage("volume_readable_again", "VIDEO_DIR can be listed again")
FOLDER_MADE_AGAIN = LogMessage("folder_made_again", "%s was deleted; made again")
FILE_WRITTEN_AGAIN = LogMessage("file_written_again", "%s was deleted while it was being recorded; written again")
OLD_CLIPS_DELETED = LogMessage("old_clips_deleted", "%d clips older than RETENTION_DAYS=%g deleted")
CLIPS_DELETED_FOR_ROOM = LogMessage("clips_deleted_for_room", "%d oldest analysed clips deleted: %.1f GB are free now")
EVENT_PICTURES_DELETED = LogMessage("event_pictures_deleted", "%d oldest pictures of live events deleted")
CLIP_NOT_DELETED = LogMessage("clip_not_deleted", "%s cannot be deleted (%s): check its owner and permissions")
CLOCK_LEAPT = LogMessage(
    "clock_leapt",
    "the clock jumped from %s to %s: %d clips that are older than RETENTION_DAYS=%g only because of that are "
    "kept until that much time has passed",
)
CLOCK_LEAP_PASSED = LogMessage("clock_leap_passed", "no clip is kept because of the clock's jump any more")

# the web server
PAGES_SERVED = LogMessage("pages_served", "pages served at %s")
PAGES_ENDED = LogMessage("pages_ended", "the HTTP pages have ended; recording goes on")

LIVE_FRAMES_FAILED = LogMessage("live_frames_failed", "live frames have ended unexpectedly; recording goes on")

# the cameras' log
CAMERA_LOG_NOT_WRITTEN = LogMessage("camera_log_not_written", "%s cannot be written (%s); recording goes on")
CAMERA_LOG_WRITTEN_AGAIN = LogMessage("camera_log_written_again", "%s can be written again")
