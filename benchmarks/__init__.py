"""Measurements: real API server, real PostgreSQL, real git; figures with units.

Run by ``make bench``. Wall time on a shared machine is noise, so each figure comes with
what explains it: CPU seconds, requests, rows. Nothing here asserts.
"""
