"""cria: the small model that comes with Puna, from its corpus to its GGUF file."""
