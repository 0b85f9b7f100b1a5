"""The RQ worker: takes jobs, runs them, and maintains the queue."""
