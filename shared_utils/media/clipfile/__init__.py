"""Reading a clip's file: its recordings, streams, time stamps and orientation. See :mod:`shared_utils.media.frames`."""
