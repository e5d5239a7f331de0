"""The GGUF file format: strict reader and description."""
