"""Values of zones: cleaned, checked, reported; lamps, pages, and where zones are in a camera that was nudged."""
