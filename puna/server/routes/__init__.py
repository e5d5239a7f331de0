"""The native routes, one file per group."""
