"""Model families, one file each: what a checkpoint of the family is called in GGUF. See
registry.py.
"""
