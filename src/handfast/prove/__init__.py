"""The proof: real programs on loopback, a throw-away PKI, and a matrix of who is let in and who is not."""
