"""``python -m shared_utils.zones``: checks files of zones, lists a camera's zones, and draws them on a picture."""
