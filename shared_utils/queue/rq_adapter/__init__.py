"""RQ's internals: how it lays out Redis, and what of it has no public name. The only place that depends on them.

All of it is asserted by ``tests/shared_utils/queue/test_rq_contract.py``, which is the first test to fail when a new
version of RQ changes it.
"""
