"""Prefixes that outlive a runner: saved when it stops, restored when a prompt begins alike."""
