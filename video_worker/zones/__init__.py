"""Objects in zones: who is inside a polygon, and who has crossed a line. Pure: no step, no file, no clock."""
