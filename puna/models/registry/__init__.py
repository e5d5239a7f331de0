"""Pull, push and their transports."""
