"""Checks: one file is one check; each looks at one object and yields findings."""
