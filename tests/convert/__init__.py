"""Tests of puna.convert."""
