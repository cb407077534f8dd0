"""Command lines of planned servers, moved to where a host has its files and ports."""

from collections.abc import Iterable, Mapping

from packer.domain.model_mount import MODEL_ROOT, mount_path, path_in_volume, pod_path, volume_of
from packer.domain.mount import Mount, MountKind
from packer.host_services.servers import HostServer


def host_path(mount: Mount, models_folder: str) -> str:
    """Where a model file lies on a host.

    A file of the node is where its URI says. Any other volume is a folder below the models folder,
    laid out as in a pod, so ``pvc://models/a.gguf`` is ``/models/pvc/models/a.gguf``.
    """
    if mount.kind is MountKind.HOST:
        return f"/{mount.path}"
    return models_folder.rstrip("/") + pod_path(mount).removeprefix(MODEL_ROOT)


def host_folder(mount: Mount, models_folder: str) -> str:
    """Where a model's volume lies on a host."""
    return host_path(mount, models_folder).removesuffix(f"/{path_in_volume(mount)}")


def container_folder(mount: Mount) -> str:
    """Where a model's volume lies in a container: the same as in a pod."""
    return mount_path(volume_of(mount))


def server_words(
    server: HostServer, program: str, models_folder: str, flags: Mapping[str, str]
) -> tuple[str, ...]:
    """Words of a server's command line on its host, the program first.

    Args:
        server: The planned replica.
        program: Path of llama-server.
        models_folder: Where model volumes lie.
        flags: Values that replace the planned ones, such as ``--port``.
    """
    moved = {pod_path(mount): host_path(mount, models_folder) for mount in server.mounts}
    words = [moved.get(word, word) for word in server.placement.argv[1:]]
    return (program, *with_flags(words, flags))


def with_flags(words: Iterable[str], flags: Mapping[str, str]) -> tuple[str, ...]:
    """The words with other values of some flags."""
    changed = list(words)
    for flag, value in flags.items():
        changed = _with_flag(changed, flag, value)
    return tuple(changed)


def _with_flag(words: list[str], flag: str, value: str) -> list[str]:
    """The words with one value of a flag: in its place if it stands there, else at the end."""
    if flag not in words[:-1]:
        return [*words, flag, value]
    last = len(words) - 2 - words[-2::-1].index(flag)
    return [*words[: last + 1], value, *words[last + 2 :]]
