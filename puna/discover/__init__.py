"""Processors, memory and graphics cards."""
