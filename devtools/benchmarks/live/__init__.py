"""The live benchmark: what is asked for live costs what it may, and comes as soon as it should."""
