"""Capture: one process per camera reads its stream, detects motion and records clips."""
