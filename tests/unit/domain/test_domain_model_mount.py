import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.domain.model_mount import (
    MODEL_ROOT,
    model_pod_path,
    mount_path,
    path_in_volume,
    pod_path,
    volume_of,
)
from packer.domain.mount import InvalidMount, parse_mount


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("pvc://models/llama/a-Q4_K_M.gguf", "/models/pvc/models/llama/a-Q4_K_M.gguf"),
        ("csi://blob.csi.example.com/a.gguf", "/models/csi/blob.csi.example.com/a.gguf"),
        ("file:///srv/models/a.gguf", "/models/file/srv/models/a.gguf"),
        (
            "image://registry.example.com/org/qwen3:v1#w/a.gguf",
            "/models/image/qwen3-96856ae5/w/a.gguf",
        ),
    ],
)
def test_path_in_the_pod(uri: str, path: str) -> None:
    assert model_pod_path(uri) == path


def test_a_host_file_is_mounted_by_its_directory() -> None:
    mount = parse_mount("file:///srv/models/a.gguf")
    assert volume_of(mount)[1] == "/srv/models"
    assert path_in_volume(mount) == "a.gguf"


def test_the_root_of_the_node_is_never_mounted() -> None:
    with pytest.raises(InvalidMount, match="root directory"):
        model_pod_path("file:///a.gguf")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("csi://blob.example/a.gguf?bucket=models", "csi://blob.example/a.gguf?bucket=others"),
        ("csi://blob.example/a.gguf?bucket=models", "csi://blob.example/a.gguf"),
        ("image://example.com/a/m:v1#a.gguf", "image://example.com/b/m:v1#a.gguf"),
        ("image://example.com/a/m:v1#a.gguf", "image://example.com/a/m:v2#a.gguf"),
        ("pvc://one/a.gguf", "pvc://two/a.gguf"),
        ("file:///one/a.gguf", "file:///two/a.gguf"),
        ("pvc://one/a.gguf", "csi://one/a.gguf"),
    ],
)
def test_distinct_volumes_have_distinct_directories(first: str, second: str) -> None:
    assert mount_path(volume_of(parse_mount(first))) != mount_path(volume_of(parse_mount(second)))


@pytest.mark.parametrize(
    "uri",
    [
        "models/a.gguf",
        "pvc://models/../etc/shadow",
        "pvc://models/a-{quantization}.gguf",
        "pvc://models/$(HOME).gguf",
        "pvc://models/a.gguf\n",
        "pvc://mоdels/a.gguf",  # a Cyrillic о
    ],
)
def test_what_is_no_mount_has_no_path(uri: str) -> None:
    with pytest.raises(InvalidMount):
        model_pod_path(uri)


@given(
    st.sampled_from(["pvc://a/", "csi://a/", "image://a:v1#", "file:///a/", "file:///"]),
    st.text(st.sampled_from("ab./-_$(){}~+=@:#?& \n\u0430"), max_size=40),
)
def test_no_path_leaves_its_volume(start: str, rest: str) -> None:
    try:
        mount = parse_mount(start + rest)
        directory = mount_path(volume_of(mount))
    except InvalidMount:
        return
    assert directory.startswith(f"{MODEL_ROOT}/{mount.kind.value}/")
    assert pod_path(mount).startswith(f"{directory}/")
    assert not {"..", ".", ""} & set(pod_path(mount)[1:].split("/"))
    assert not set(directory) & set(":$(){}\"'\\\n ")
