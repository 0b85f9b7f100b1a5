"""A camera's stream: connecting, timing, and packets of our own type."""
