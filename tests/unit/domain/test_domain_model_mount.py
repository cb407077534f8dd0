import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.domain.model_mount import InvalidMount, MountKind, model_pod_path, parse_mount


@pytest.mark.parametrize(
    ("uri", "kind", "source", "path", "pod_path"),
    [
        (
            "pvc://models/llama/a-Q4_K_M.gguf",
            MountKind.CLAIM,
            "models",
            "llama/a-Q4_K_M.gguf",
            "/models/pvc/models/llama/a-Q4_K_M.gguf",
        ),
        (
            "csi://blob.csi.example.com/a.gguf",
            MountKind.CSI,
            "blob.csi.example.com",
            "a.gguf",
            "/models/csi/blob.csi.example.com/a.gguf",
        ),
        (
            "file:///srv/models/a.gguf",
            MountKind.HOST,
            "/srv/models",
            "a.gguf",
            "/models/file/srv/models/a.gguf",
        ),
        (
            "image://ghcr.io/org/qwen3:v1/weights/a.gguf",
            MountKind.IMAGE,
            "ghcr.io/org/qwen3:v1",
            "weights/a.gguf",
            None,
        ),
        (
            "image://localhost:5000/qwen3@sha256:0123abcd/a.gguf",
            MountKind.IMAGE,
            "localhost:5000/qwen3@sha256:0123abcd",
            "a.gguf",
            None,
        ),
        ("image://qwen3:8/a.gguf", MountKind.IMAGE, "qwen3:8", "a.gguf", None),
    ],
)
def test_parse_mount(
    uri: str, kind: MountKind, source: str, path: str, pod_path: str | None
) -> None:
    mount = parse_mount(uri)
    assert (mount.kind, mount.source, mount.path) == (kind, source, path)
    assert ":" not in mount.mount_path
    assert model_pod_path(uri) == mount.pod_path == (pod_path or f"{mount.mount_path}/{path}")


def test_csi_attributes_make_a_volume_of_their_own() -> None:
    first = parse_mount("csi://blob.example/a.gguf?bucket=models&region=eu")
    second = parse_mount("csi://blob.example/a.gguf?bucket=others&region=eu")
    assert first.attributes == (("bucket", "models"), ("region", "eu"))
    assert first.volume != second.volume
    assert first.mount_path != second.mount_path


def test_images_of_one_name_have_mount_paths_of_their_own() -> None:
    paths = {parse_mount(f"image://ghcr.io/{org}/m:v1/a.gguf").mount_path for org in "ab"}
    assert len(paths) == 2
    assert all(path.startswith("/models/image/m-") for path in paths)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("models/a.gguf", "is not a mount URI"),
        ("s3://bucket/a.gguf", "is not a mount URI"),
        ("pvc://models", "names no file"),
        ("pvc:///a.gguf", "is not the name of a claim"),
        ("pvc://Models/a.gguf", "is not the name of a claim"),
        ("pvc://models/../etc/shadow", "cannot be part of a path"),
        ("pvc://models//a.gguf", "cannot be part of a path"),
        ("pvc://models/a-{quantization}.gguf", "cannot be part of a path"),
        ("pvc://models/$(HOME).gguf", "cannot be part of a path"),
        ("pvc://models/a.gguf\n", "cannot be part of a path"),
        ("pvc://mоdels/a.gguf", "is not the name of a claim"),  # a Cyrillic о
        ("csi://driver/a.gguf?bucket", "is not a volume attribute"),
        ("csi://driver/a.gguf?", "is not a volume attribute"),
        ("image://ghcr.io/org/qwen3/a.gguf", "no image tag or digest"),
        ("image://-x:v1/a.gguf", "is not an image reference"),
        ("file://srv/a.gguf", "no absolute path"),
        ("file:///a.gguf", "root directory"),
    ],
)
def test_refused(uri: str, why: str) -> None:
    with pytest.raises(InvalidMount, match=why):
        parse_mount(uri)


@given(st.sampled_from(["pvc://", "csi://", "image://", "file:///"]), st.text(max_size=60))
def test_any_text_is_parsed_or_refused_and_never_leaves_its_mount(scheme: str, rest: str) -> None:
    try:
        mount = parse_mount(scheme + rest)
    except InvalidMount:
        return
    assert mount.pod_path.startswith(f"/models/{mount.kind.value}/")
    assert ".." not in mount.pod_path.split("/")
    assert not set(mount.pod_path) & set("$(){}\"'\\\n ")
