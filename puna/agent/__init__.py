"""The agent of `puna run MODEL --agent`: a model with tools, in a folder, with approvals."""
