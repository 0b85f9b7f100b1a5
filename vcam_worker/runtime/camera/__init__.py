"""One camera's own process: its loop, its clips on their way to the volume, what it logs and counts."""
