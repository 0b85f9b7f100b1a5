"""Reading a clip's file: its recordings, streams, time stamps and orientation. See :mod:`video_worker.frames`."""
