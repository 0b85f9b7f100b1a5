"""The queue of clips on RQ: connection, names, figures, and the repair of what others left in Redis."""
