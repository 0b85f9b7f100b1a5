"""Capture's benchmark."""
