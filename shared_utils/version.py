"""The version of vcam; pyproject.toml holds the same."""

VERSION = "0.1.0"
