"""Connectors: one file per other system, in that system's own words, found by entry point and imported by nobody.

Each imports only ``iam.connector``, ``iam.errors`` and its own library.
"""
