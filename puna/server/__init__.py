"""HTTP: routes, checks, encoders. The only room that knows HTTP."""
