"""Live frames: JPEGs of the main stream, decoded and encoded only while somebody asks."""
