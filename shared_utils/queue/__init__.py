"""The queue of clips on RQ: connection, job ids, submission, states, figures and quarantine."""
