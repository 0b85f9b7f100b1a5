"""What scripts and tests both need."""
