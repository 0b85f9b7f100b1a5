"""Motion settings, thresholds, and runs side by side."""

from shared_utils.former_names import former_attributes

__getattr__ = former_attributes(__name__, "notebooks.lab.review.training_pictures")
"""What this room held when it was a module: notebooks of users import it from here."""
