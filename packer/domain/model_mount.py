"""Where the pods find a model file: directories at which volumes are mounted, paths of models.

The planner asks for ``model_pod_path`` to write the command line, the renderer for the volume's
directory; both read the same URI, so the two cannot disagree.
"""

import re
from hashlib import sha256

from packer.domain.mount import InvalidMount, Mount, MountKind, parse_mount

MODEL_ROOT = "/models"
"""Directory of the pod under which every model volume is mounted."""

Volume = tuple[MountKind, str, tuple[tuple[str, str], ...]]
"""What two files in the same volume have in common: kind, source, attributes."""


def model_pod_path(uri: str) -> str:
    """Path inside the pod of the file a mount URI names, for ``--model``.

    Raises:
        InvalidMount: The URI names no volume and path.
    """
    return pod_path(parse_mount(uri))


def pod_path(mount: Mount) -> str:
    """Path of a mounted file inside the pod."""
    return f"{mount_path(volume_of(mount))}/{path_in_volume(mount)}"


def volume_of(mount: Mount) -> Volume:
    """The volume a file lies in; for a file of the node itself, its directory.

    Raises:
        InvalidMount: The file lies in the node's root directory, which must not be mounted.
    """
    if mount.kind is not MountKind.HOST:
        return mount.kind, mount.source, mount.attributes
    directory = mount.path.rpartition("/")[0]
    if not directory:
        raise InvalidMount(
            f"file:///{mount.path} would mount the node's root directory; "
            "put the model in a directory of its own"
        )
    return mount.kind, f"/{directory}", ()


def path_in_volume(mount: Mount) -> str:
    """Path of a mounted file from the directory of its volume."""
    return mount.path.rpartition("/")[2] if mount.kind is MountKind.HOST else mount.path


def mount_path(volume: Volume) -> str:
    """Directory of the pod at which a volume is mounted; distinct for distinct volumes."""
    kind, source, attributes = volume
    if kind is MountKind.IMAGE:
        # A reference holds colons, which a mount path may not.
        name = re.split(r"[:@]", source.rpartition("/")[2])[0]
        source = f"{name}-{_digest(source)}"
    elif attributes:
        source = f"{source}-{_digest(repr(attributes))}"
    return f"{MODEL_ROOT}/{kind.value}/{source.strip('/')}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
