"""Clips, pictures and exports."""
