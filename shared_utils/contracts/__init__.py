"""Files and messages that others rely on. Standard library only."""
