"""PostgreSQL: tables, queries, records, leases, the queue, sealed credentials, audit.

In: values from ``model`` and a ``Scope`` for everything read. Out: values from ``model``;
no row object leaves the room. Never here: a decision, a network call other than
PostgreSQL's, a transaction that outlives the ``async with`` that opened it.
"""
