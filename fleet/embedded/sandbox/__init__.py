"""Clusters without a cluster: one process that speaks the Kubernetes API for any number of them.

In: requests of kubectl, Helm and Fleet. Out: what a Kubernetes API server would answer, from
objects held in memory. Never here: a container, a network other than loopback, a rule that the
contract suite does not compare with the real server.
"""
