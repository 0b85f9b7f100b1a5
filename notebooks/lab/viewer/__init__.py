"""ViewVideo: the player and the list of clips."""

from shared_utils.former_names import former_attributes

__getattr__ = former_attributes(__name__, "notebooks.lab.viewer.viewer")
"""What this room held when it was a module: notebooks of users import it from here."""
