"""Parsers of coded bytes: NAL units, parameter sets, JPEG headers, MP4 boxes. Standard library only."""
