"""Validation of certificates (RFC 5280 section 6): every reason at once, pure."""
