"""Live clusters: the only importer of the Kubernetes client."""
