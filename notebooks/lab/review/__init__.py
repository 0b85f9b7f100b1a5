"""LabelReview: judging detections, data sets, fine-tuning."""

from shared_utils.former_names import former_attributes

__getattr__ = former_attributes(__name__, "notebooks.lab.review.review")
"""What this room held when it was a module: notebooks of users import it from here."""
