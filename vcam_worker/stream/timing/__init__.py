"""When packets arrived, and their place in stream time."""
