"""From packets to clips."""
