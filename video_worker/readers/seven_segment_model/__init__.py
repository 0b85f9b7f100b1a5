"""The network of the seven-segment reader, and everything that made it: drawn displays, training, figures."""
