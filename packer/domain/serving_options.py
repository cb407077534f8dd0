"""How a llama-server is reached; none of it decides bytes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServingOptions:
    """Address, name and side services of one llama-server process.

    Attributes:
        alias: Model name clients send, ``--alias``.
        host, port: Where it listens.
        metrics: Whether ``/metrics`` is served.
        model_path: Path of the model inside the pod; replaces the reference in ServerOptions.
        draft_path, projector_path: Likewise for the draft model and the projector.
    """

    alias: str
    model_path: str
    host: str = "0.0.0.0"  # noqa: S104 — a pod's own address is not known beforehand
    port: int = 8080
    metrics: bool = True
    draft_path: str = ""
    projector_path: str = ""
