"""One thing of a running server that was looked at, beside what was planned."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing of one server; texts for people.

    Attributes:
        what: Such as ``node`` or ``gpu0 context``.
        is_as_planned: None where nobody can tell, or where it is only told.
        allowed: Difference that would still agree, such as ``±0.02 MiB``; empty where none is.
        basis: How far the planned figure can be trusted; empty where it is no figure.
    """

    server: str
    what: str
    planned: str
    found: str
    is_as_planned: bool | None
    allowed: str = ""
    basis: str = ""
