"""URIs of mounted files: what each kind reads, and what none lets through."""

import pytest

from packer.domain.mount import (
    MOUNT_EXAMPLES,
    QUANTIZATION_PLACE,
    InvalidMount,
    Mount,
    MountKind,
    parse_mount,
)


@pytest.mark.parametrize(
    ("uri", "mount"),
    [
        ("pvc://models/a/b-Q4.gguf", Mount(MountKind.CLAIM, "models", "a/b-Q4.gguf")),
        (
            "csi://d.example.com/x.gguf?bucket=m&region=eu-1",
            Mount(MountKind.CSI, "d.example.com", "x.gguf", (("bucket", "m"), ("region", "eu-1"))),
        ),
        ("csi://driver/x.gguf", Mount(MountKind.CSI, "driver", "x.gguf")),
        (
            f"image://host:5000/o/m:v1@sha256:{'a' * 64}#x.gguf",
            Mount(MountKind.IMAGE, f"host:5000/o/m:v1@sha256:{'a' * 64}", "x.gguf"),
        ),
        ("file:///srv/m/x.gguf", Mount(MountKind.HOST, "", "srv/m/x.gguf")),
    ],
)
def test_every_kind_of_mount(uri: str, mount: Mount) -> None:
    assert parse_mount(uri) == mount


def test_the_examples_in_messages_are_right() -> None:
    for kind, example in MOUNT_EXAMPLES.items():
        assert parse_mount(example.replace(QUANTIZATION_PLACE, "Q4_K_M")).kind is kind


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "models/x.gguf",
        "hf://org/repo/x.gguf",
        "pvc://models",
        "pvc://models/",
        "pvc://Models/x",
        "pvc:///x",
        "pvc://m/../x",
        "pvc://m/a/..",
        "pvc://m/./x",
        "pvc://m//x",
        "pvc://m/-x",
        "pvc://m/a/-x",
        "pvc://m/x y",
        "pvc://m/x\n",
        "pvc://m/$(HOME)",
        "pvc://m/{{ x }}",
        "pvc://m/x'",
        'pvc://m/x"',
        "pvc://m/x;y",
        "pvc://m/x%2e",
        "pvc://m/\u0445.gguf",
        "file://host/x",
        "file:////x",
        "image://Reg/x#y",
        "image://r/x",
        "csi://d/x?a",
        "csi://d/x?a=$(b)",
        "pvc://m/" + "a" * 600,
    ],
)
def test_what_a_command_line_or_manifest_would_have_to_quote_is_refused(uri: str) -> None:
    with pytest.raises(InvalidMount):
        parse_mount(uri)
