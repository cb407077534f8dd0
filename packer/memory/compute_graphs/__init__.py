"""Compute graphs of each architecture, as far as their tensors' sizes and lifetimes go."""
