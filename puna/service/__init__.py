"""What the program can do, without HTTP."""
