"""A drawn gate in a street: people and cars that pass, linger, turn back and meet, and what zones should count."""
