"""A video folder as after a week of the demo; see :mod:`devtools.sample_volume.volume`."""
