"""Relying parties: one file each, with everything one must know to switch mutual TLS on there."""
