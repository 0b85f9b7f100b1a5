"""One clip through all steps, and its record."""
