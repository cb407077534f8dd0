"""Bytes per device and on the host, by llama.cpp's own rules."""
