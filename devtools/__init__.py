"""Support code for scripts and tests."""
