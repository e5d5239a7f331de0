"""Registries: how to ask them, prove who one is, and fetch models from them.

Only `transport.py` knows the HTTP library. Everything here is asynchronous.
"""
