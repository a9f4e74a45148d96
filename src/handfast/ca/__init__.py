"""The certification authority: decide, check, record, sign."""
