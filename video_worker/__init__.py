"""The worker: takes clips from the queue, analyses them and logs what it found."""
