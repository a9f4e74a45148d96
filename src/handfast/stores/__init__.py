"""Stores: the authority's durable memory.

A module here with `open_store(location, watch) -> Store` is one, by its name. It tells the watch
(handfast.stores.migrations) how far it is when it makes itself fit for a new handfast and that may take long.
"""
