"""Who is loaded, who waits, who must go."""
