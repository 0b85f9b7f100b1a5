"""The adapter of RQ: its layout of Redis, and the internals that have no public name.

The only place that depends on them.

All of it is asserted by ``tests/shared_utils/queue/test_rq_contract.py``, which is the first test to fail when a new
version of RQ changes it.
"""
