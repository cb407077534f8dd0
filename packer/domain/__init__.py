"""The nouns: models, quantizations, GPUs, nodes, workloads, server options. Plain frozen data."""
