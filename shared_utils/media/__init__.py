"""Clips and pictures: the only shared room that imports PyAV, OpenCV and NumPy."""
