"""The shared volume: publishing clips, free space, retention, the lock."""
