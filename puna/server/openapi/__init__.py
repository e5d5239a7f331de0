"""The description of every route as an OpenAPI document, and a page for people made of it."""
