"""Model files in the form of the reference's own library, told in the engine's form."""
