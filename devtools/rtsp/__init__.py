"""RTSP servers of our own, which send exactly what a test or a benchmark asks for."""
