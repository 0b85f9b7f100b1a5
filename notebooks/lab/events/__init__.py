"""Events, readings and counts of zones as data frames, from what was seen live and in clips."""

from notebooks.lab.events.counts import zone_counts
from notebooks.lab.events.frames import events
from notebooks.lab.events.values import readings

__all__ = ["events", "readings", "zone_counts"]
