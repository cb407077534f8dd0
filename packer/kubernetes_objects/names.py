"""What Kubernetes accepts as a name, and names cut to the length of a label value."""

import re
from hashlib import sha256

LONGEST_LABEL = 63
LONGEST_NAME = 200
"""Our own limit for object names, so that a file can carry the name too."""

_LABEL = re.compile(r"(?=.{1,63}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SERVICE = re.compile(r"(?=.{1,63}\Z)[a-z](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(
    r"(?=.{1,200}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
)
_LABEL_VALUE = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_KEY = re.compile(
    r"(?:(?=[^/]{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?"
    r"(?=.{1,63}\Z)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
)
_SECRET_ENTRY = re.compile(r"(?=.{1,253}\Z)[-._A-Za-z0-9]*[A-Za-z0-9][-._A-Za-z0-9]*")
_IMAGE = re.compile(
    r"(?=.{1,255}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_GPU_UUID = re.compile(r"GPU-[0-9A-Za-z-]{1,58}")
_SLICE_UUID = re.compile(r"(?:GPU|MIG)-[0-9A-Za-z-]{1,58}")


def is_label(text: str) -> bool:
    """Whether a text is a DNS-1123 label: namespaces, volumes, containers."""
    return _LABEL.fullmatch(text) is not None


def is_service_name(text: str) -> bool:
    """Whether a text is a DNS-1035 label: like a DNS-1123 label, but a letter first."""
    return _SERVICE.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """Whether a text is a DNS-1123 subdomain of at most 200 characters: nodes, claims, secrets."""
    return _SUBDOMAIN.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether a text is a label value that is not empty."""
    return _LABEL_VALUE.fullmatch(text) is not None


def is_label_key(text: str) -> bool:
    """Whether a text is a label key, with or without a prefix."""
    return _LABEL_KEY.fullmatch(text) is not None


def is_secret_entry(text: str) -> bool:
    """Whether a text can be a key in the data of a Secret."""
    return _SECRET_ENTRY.fullmatch(text) is not None


def is_image(text: str) -> bool:
    """Whether a text is an image reference, with or without tag and digest."""
    return _IMAGE.fullmatch(text) is not None


def is_gpu_uuid(text: str) -> bool:
    """Whether a text is the UUID of a whole NVIDIA GPU; it is safe inside a CEL string."""
    return _GPU_UUID.fullmatch(text) is not None


def is_slice_uuid(text: str) -> bool:
    """Whether a text is the UUID of a MIG slice or of the card it is cut from; safe likewise."""
    return _SLICE_UUID.fullmatch(text) is not None


def shortened(name: str, longest: int = LONGEST_LABEL) -> str:
    """The name, or its beginning and a digest of all of it where it is too long."""
    if len(name) <= longest:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: longest - 9].rstrip('-._')}-{digest}"
