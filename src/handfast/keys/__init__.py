"""Private keys: making them, keeping those of CAs, and writing files that survive a crash.

A module here with `open_keys(location, passphrase) -> KeyStore` is a key backend, found by its name.
"""
