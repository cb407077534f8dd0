"""Pack llama.cpp model servers on the fewest GPUs, with a proof."""

__version__ = "0.1.0"
