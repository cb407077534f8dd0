"""Kubernetes objects from a plan: one small module per kind, plain dictionaries, YAML text out."""
