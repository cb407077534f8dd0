"""kubernetes_objects."""
