"""Processes: one per camera, and the supervisor over them."""
