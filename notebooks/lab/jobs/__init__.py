"""Sending clips for analysis, downloads, checks, and what the queue holds."""
