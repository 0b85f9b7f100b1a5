"""The log as data frames, and what follows from it."""
