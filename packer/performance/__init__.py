"""Tokens per second, time to first token and load time. Estimates, each with its band."""
