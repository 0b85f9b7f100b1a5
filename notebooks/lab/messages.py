"""Log messages of the notebooks' library, each with its stable code; see :class:`shared_utils.log.LogMessage`."""

from __future__ import annotations

from shared_utils.log import LogMessage

# results
LOG_LINES_ODD = LogMessage("log_lines_odd", "%s: %s")
OBJECTS_ODD = LogMessage("objects_odd", "objects: %s of run %s has invalid values, left empty: %s")
MORE_OBJECTS_ODD = LogMessage("more_objects_odd", "objects: %d more runs have invalid values, left empty")
BOXES_MISSING = LogMessage("boxes_missing", "boxes: no file for %d of %d runs; %d lines skipped")
BOXES_LINES_SKIPPED = LogMessage("boxes_lines_skipped", "%s: %d lines skipped: torn, or not of a boxes file")

# the server
NOTEBOOK_COPIES = LogMessage("notebook_copies", "%s")

# live
LIVE_VIEW_ENDED = LogMessage("live_view_ended", "the live view of %s ended by an error of its own")
