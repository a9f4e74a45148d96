"""Mutual TLS for people and devices, end to end: a private CA, and every server and client that has to trust it."""

__version__ = "0.1.0"
