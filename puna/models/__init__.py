"""A model at rest: names, manifests, blobs, Modelfile."""
