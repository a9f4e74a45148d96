"""The client's side of mutual TLS: credentials, enrollment, rotation, and fetching what a validation lacks."""
