"""Parts of the clip reader: recordings in a file, streams, time stamps, orientation."""
