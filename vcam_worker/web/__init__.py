"""Pages, health, metrics and snapshots over HTTP."""
