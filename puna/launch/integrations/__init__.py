"""The programs that can be launched: one file each, which holds an `INTEGRATION`."""
