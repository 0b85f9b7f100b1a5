"""Video that tests draw, encode and change."""
