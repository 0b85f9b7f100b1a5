"""Reads seven-segment displays: a network that finds the row of digits in a zone and reads it, symbol by symbol."""
