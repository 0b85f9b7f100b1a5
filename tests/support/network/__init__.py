"""Cameras, hosts and networks for tests."""
