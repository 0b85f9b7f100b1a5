"""Models: loading, and the processing before and after inference."""
