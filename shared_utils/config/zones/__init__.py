"""Zones of a camera: the model of ``zones/<camera>.json``, and its validator."""
