"""Protocols: bytes in, bytes out, (Request, Authority) → Response. One file = one protocol, found by its `routes`."""
