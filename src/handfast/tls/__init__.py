"""TLS of our own: contexts that rotate without a restart, and a small server that never resumes a session."""
