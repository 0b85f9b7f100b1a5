"""The benchmark of zones: accuracy on drawn panels and gates whose truth is known, and what tasks cost."""
