"""Steps that carry out the tasks of zones: follow objects, count who enters and leaves, count who crosses."""
