"""Motion detection on small luma pictures."""
