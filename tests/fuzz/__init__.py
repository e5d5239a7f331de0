"""Inputs from strangers, by the hundred thousand."""
