"""Where the pods find a model file: the mount URI a fleet names, and the path inside the pod.

The planner asks for ``pod_path`` to write the command line, the renderer for the volume; both read
the same URI, so the two cannot disagree.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from posixpath import basename

MODEL_ROOT = "/models"
"""Directory of the pod under which every model volume is mounted."""

_SEGMENT = re.compile(r"[A-Za-z0-9._+@=~,-]+")
_SUBDOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,254}")
_ATTRIBUTE = re.compile(r"(?P<name>[A-Za-z0-9._/-]+)=(?P<value>[A-Za-z0-9._:/@+=,-]*)")
_EXAMPLES = (
    "write pvc://CLAIM/path/model.gguf, csi://DRIVER/path/model.gguf?attribute=value, "
    "image://REGISTRY/NAME:TAG/path/model.gguf or file:///directory/model.gguf"
)


class InvalidMount(ValueError):
    """A mount URI is not one; the message says why and what to write."""


class MountKind(StrEnum):
    """What kind of volume holds the model."""

    CLAIM = "pvc"
    CSI = "csi"
    IMAGE = "image"
    HOST = "file"


@dataclass(frozen=True)
class ModelMount:
    """One model file in one volume.

    Attributes:
        source: Name of the claim or CSI driver, image reference, or directory on the node.
        path: Path of the file inside the volume.
        attributes: Volume attributes of a CSI volume, in the order of the URI.
    """

    kind: MountKind
    source: str
    path: str
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def volume(self) -> tuple[MountKind, str, tuple[tuple[str, str], ...]]:
        """What makes two files lie in the same volume."""
        return self.kind, self.source, self.attributes

    @property
    def mount_path(self) -> str:
        """Directory of the pod at which the volume is mounted; distinct for distinct volumes."""
        return f"{MODEL_ROOT}/{self.kind.value}/{self._directory}"

    @property
    def pod_path(self) -> str:
        """Path of the file inside the pod."""
        return f"{self.mount_path}/{self.path}"

    @property
    def _directory(self) -> str:
        if self.kind is MountKind.HOST:
            return self.source.strip("/")
        if self.kind is MountKind.IMAGE:
            # A reference holds colons, which a mount path may not.
            name = re.split(r"[:@]", basename(self.source))[0]
            return f"{name}-{_digest(self.source)}"
        if self.attributes:
            return f"{self.source}-{_digest(repr(self.attributes))}"
        return self.source


def parse_mount(uri: str) -> ModelMount:
    """Volume and path that a mount URI names.

    Raises:
        InvalidMount: No such scheme, a part is missing or holds characters that have no place in
            a name, or the path leaves the volume.
    """
    scheme, separator, rest = uri.partition("://")
    parsers = {
        MountKind.CLAIM.value: _parse_claim,
        MountKind.CSI.value: _parse_csi,
        MountKind.IMAGE.value: _parse_image,
        MountKind.HOST.value: _parse_host,
    }
    if not separator or scheme not in parsers:
        raise InvalidMount(f"{_shown(uri)} is not a mount URI; {_EXAMPLES}")
    return parsers[scheme](uri, rest)


def model_pod_path(uri: str) -> str:
    """Path inside the pod of the file a mount URI names, for ``--model``.

    Raises:
        InvalidMount: As ``parse_mount``.
    """
    return parse_mount(uri).pod_path


def _parse_claim(uri: str, rest: str) -> ModelMount:
    claim, _, path = rest.partition("/")
    return ModelMount(MountKind.CLAIM, _name(uri, claim, "claim"), _path(uri, path))


def _parse_csi(uri: str, rest: str) -> ModelMount:
    location, question, query = rest.partition("?")
    driver, _, path = location.partition("/")
    attributes = tuple(_attribute(uri, part) for part in query.split("&")) if question else ()
    return ModelMount(MountKind.CSI, _name(uri, driver, "driver"), _path(uri, path), attributes)


def _parse_image(uri: str, rest: str) -> ModelMount:
    segments = rest.split("/")
    ends = [index for index, segment in enumerate(segments[:-1]) if _ends_reference(segment)]
    # The first segment may be a registry with a port, which looks like a name with a tag.
    if len(ends) > 1 and ends[0] == 0 and re.fullmatch(r"[^:@]+:[0-9]+", segments[0]):
        ends = ends[1:]
    if not ends:
        raise InvalidMount(
            f"{_shown(uri)} names no image tag or digest before the path; "
            "write image://REGISTRY/NAME:TAG/path/model.gguf"
        )
    reference = "/".join(segments[: ends[0] + 1])
    if _REFERENCE.fullmatch(reference) is None:
        raise InvalidMount(f"{_shown(uri)}: {_shown(reference)} is not an image reference")
    return ModelMount(MountKind.IMAGE, reference, _path(uri, "/".join(segments[ends[0] + 1 :])))


def _parse_host(uri: str, rest: str) -> ModelMount:
    if not rest.startswith("/"):
        raise InvalidMount(
            f"{_shown(uri)} has no absolute path; write file:///directory/model.gguf"
        )
    directory, _, path = _path(uri, rest[1:]).rpartition("/")
    if not directory:
        raise InvalidMount(
            f"{_shown(uri)} would mount the node's root directory; "
            "put the model in a directory of its own"
        )
    return ModelMount(MountKind.HOST, f"/{directory}", path)


def _ends_reference(segment: str) -> bool:
    return ":" in segment or "@" in segment


def _name(uri: str, name: str, what: str) -> str:
    if _SUBDOMAIN.fullmatch(name) is None:
        raise InvalidMount(
            f"{_shown(uri)}: {_shown(name)} is not the name of a {what}: lower-case letters, "
            "digits, '-' and '.', at most 253"
        )
    return name


def _path(uri: str, path: str) -> str:
    segments = path.split("/")
    if not path:
        raise InvalidMount(f"{_shown(uri)} names no file; {_EXAMPLES}")
    for segment in segments:
        if segment in ("", ".", "..") or _SEGMENT.fullmatch(segment) is None:
            raise InvalidMount(
                f"{_shown(uri)}: {_shown(segment)} cannot be part of a path; use letters, digits "
                "and . _ + @ = ~ , - between single slashes"
            )
    return path


def _attribute(uri: str, text: str) -> tuple[str, str]:
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise InvalidMount(f"{_shown(uri)}: {_shown(text)} is not a volume attribute name=value")
    return match["name"], match["value"]


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:117] + "...")
