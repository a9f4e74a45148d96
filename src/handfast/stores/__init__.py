"""Stores: the authority's durable memory. A module here with `open_store(location) -> Store` is one, by its name."""
