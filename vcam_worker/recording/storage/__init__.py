"""The shared volume: publishing clips, room, retention, the lock."""
