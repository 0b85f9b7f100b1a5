"""Settings and the files that people edit, read and validated."""
