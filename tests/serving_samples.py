"""One llama-server's options, for tests that need any."""

from packer.domain.server_options import ServerOptions
from packer.domain.serving_options import ServingOptions
from packer.llamacpp.arguments import parse_arguments


def sample_options() -> ServerOptions:
    """A server with two slots on one card."""
    words = "llama-server -m a.gguf -c 8192 -np 2 -ngl 99 -fa on -ctk q8_0 -ctv q8_0 -dev CUDA0"
    return parse_arguments(words.split())


def sample_serving() -> ServingOptions:
    """Its name and address."""
    return ServingOptions(alias="chat", model_path="/models/chat.gguf")
