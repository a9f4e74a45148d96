"""Certificates as values: keys, names, requests, profiles, drafts, CRLs. Bytes and clock come in as arguments."""
