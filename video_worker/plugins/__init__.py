"""Modules of people's own that give the value of a zone: each runs in a process of its own, which may hang or crash."""
