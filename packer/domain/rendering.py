"""Ways a plan can be rendered: the words users choose from."""

from enum import StrEnum


class Target(StrEnum):
    """What runs the servers of a plan."""

    KUBERNETES = "kubernetes"
    SYSTEMD = "systemd"
    COMPOSE = "compose"
    LLAMA_SWAP = "llama-swap"


class Gateway(StrEnum):
    """What stands in front of all models."""

    NONE = "none"
    LITELLM = "litellm"
    HTTPROUTE = "httproute"


class MigStrategy(StrEnum):
    """How the device plugin of a cluster names MIG slices."""

    MIXED = "mixed"
    SINGLE = "single"
