"""What is assembled: settings become an Authority, and an Authority becomes a service."""
