"""The puna command: one file per command. It talks to a server over HTTP only."""
