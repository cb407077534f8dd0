"""Where the pods of a workload find a model file: volume and path, written as one URI."""

import re
from dataclasses import dataclass
from enum import StrEnum

QUANTIZATION_PLACE = "{quantization}"
"""What stands for the quantization's name in a path or URI."""

# Nothing here needs quoting in a command line, a manifest, a unit file or a page.
_SAFE_STEP = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.][A-Za-z0-9_.+=@,~-]*"
_PATH = rf"(?P<path>{_SAFE_STEP}(?:/{_SAFE_STEP})*)"
_SUBDOMAIN = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_IMAGE = r"[a-z0-9][A-Za-z0-9._:-]*(?:/[a-z0-9][A-Za-z0-9._:-]*)*(?:@sha256:[0-9a-f]{64})?"
_ATTRIBUTES = r"[A-Za-z0-9_.-]+=[A-Za-z0-9_./:+-]+"


class MountKind(StrEnum):
    """Kind of volume a model file is mounted from."""

    CLAIM = "pvc"
    CSI = "csi"
    IMAGE = "image"
    HOST = "file"


_GRAMMAR = {
    MountKind.CLAIM: re.compile(rf"pvc://(?P<source>{_SUBDOMAIN})/{_PATH}"),
    MountKind.CSI: re.compile(
        rf"csi://(?P<source>{_SUBDOMAIN})/{_PATH}"
        rf"(?:\?(?P<attributes>{_ATTRIBUTES}(?:&{_ATTRIBUTES})*))?"
    ),
    MountKind.IMAGE: re.compile(rf"image://(?P<source>{_IMAGE})#{_PATH}"),
    MountKind.HOST: re.compile(rf"file://(?P<source>)/{_PATH}"),
}
MOUNT_EXAMPLES = {
    MountKind.CLAIM: "pvc://models/llama-{quantization}.gguf",
    MountKind.CSI: "csi://models.example.com/llama-{quantization}.gguf?bucket=models",
    MountKind.IMAGE: "image://registry.example.com/models/llama:v1#llama-{quantization}.gguf",
    MountKind.HOST: "file:///srv/models/llama-{quantization}.gguf",
}
LONGEST_MOUNT = 512


class InvalidMount(ValueError):
    """A text names no volume and path; the message says what to write."""


@dataclass(frozen=True)
class Mount:
    """A model file inside a volume.

    Attributes:
        source: Claim name, CSI driver or image reference; empty for a path of the node itself.
        path: Path in the volume, without leading slash; of the node's root for ``HOST``.
        attributes: Volume attributes of an inline CSI volume.
    """

    kind: MountKind
    source: str
    path: str
    attributes: tuple[tuple[str, str], ...] = ()


def parse_mount(uri: str) -> Mount:
    """The volume and path of a URI such as ``pvc://claim/path/model.gguf``.

    Raises:
        InvalidMount: Unknown scheme, or characters that a command line would need quoted.
    """
    scheme = uri.partition("://")[0]
    if scheme not in set(MountKind):
        known = ", ".join(f"{kind}://" for kind in MountKind)
        raise InvalidMount(f"a mounted file begins with one of {known}")
    kind = MountKind(scheme)
    match = _GRAMMAR[kind].fullmatch(uri) if len(uri) <= LONGEST_MOUNT else None
    if match is None:
        raise InvalidMount(
            f"it must look like {MOUNT_EXAMPLES[kind]}; paths are made of letters, digits and "
            "_ . + = @ , ~ - between slashes, without .."
        )
    pairs = (match.groupdict().get("attributes") or "").split("&")
    attributes = tuple((key, value) for key, _, value in (p.partition("=") for p in pairs if p))
    return Mount(kind, match["source"], match["path"], attributes)
