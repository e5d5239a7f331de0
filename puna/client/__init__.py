"""Our own HTTP client: a method per route, streams as iterators, the start of a local server."""
