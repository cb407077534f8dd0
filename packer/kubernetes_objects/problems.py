"""Problems of a plan or an option, in the words all checks share."""

from packer.errors import Problem

LABEL_RULE = "lower-case letters, digits and '-', at most 63, a letter or digit at both ends"
SERVICE_RULE = (
    "a Service is named so: lower-case letters, digits and '-', a letter first, at most 63"
)
SUBDOMAIN_RULE = "lower-case letters, digits, '-' and '.', at most 200"
VALUE_RULE = "a label value has letters, digits, '-', '_' and '.', at most 63"


def shown(text: str) -> str:
    """A text from a plan, quoted and cut, for a message."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def name_problem(what: str, text: str, rule: str) -> Problem:
    """A text that has no place in a Kubernetes object."""
    return Problem(
        "P0710",
        f"{what} {shown(text)} is not a name Kubernetes accepts",
        why=rule,
        help="rename it",
    )


def contradiction(title: str) -> Problem:
    """A plan that disagrees with itself."""
    return Problem("P0711", title, help="plan again; a plan file is not meant to be edited")
