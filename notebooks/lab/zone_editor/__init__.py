"""ZoneEditor: a camera's zones drawn on its picture."""

from notebooks.lab.zone_editor.editor import ZoneEditor, edit_zones

__all__ = ["ZoneEditor", "edit_zones"]
