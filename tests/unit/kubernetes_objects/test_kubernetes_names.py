from collections.abc import Callable

import pytest

from packer.kubernetes_objects import names


@pytest.mark.parametrize(
    ("accepts", "good", "bad"),
    [
        (names.is_label, ["a", "7b-chat", "a" * 63], ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n"]),
        (names.is_service_name, ["chat", "a-1"], ["7b-chat", "", "a_b", "chat\n", "сhat"]),
        (
            names.is_subdomain,
            ["a.b-c.d", "n" * 200],
            ["a..b", ".a", "a.", "n" * 201, "a\n", "$(A)"],
        ),
        (names.is_label_value, ["NVIDIA-L40S", "a_b.c"], ["", "-a", "a-", "a b", "a" * 64, "a'b"]),
        (
            names.is_label_key,
            ["a", "x.io/Pool", "a_b"],
            ["", "/a", "x.io/", "X.io/a", "a/b/c", "a b"],
        ),
        (names.is_secret_entry, ["api-key", "a.b_c", "K"], ["", ".", "..", "a b", "a/b"]),
        (
            names.is_image,
            ["a/b:c", "r.io:5000/a@sha256:" + "0" * 64, "ghcr.io/a/b.c:d-e"],
            ["", "-a", "a b", "a/../b"],
        ),
        (names.is_gpu_uuid, ["GPU-0a1b-2"], ["GPU-", "MIG-0a", "GPU-' || true", "GPU-" + "0" * 59]),
    ],
)
def test_names(accepts: Callable[[str], bool], good: list[str], bad: list[str]) -> None:
    assert [name for name in good if not accepts(name)] == []
    assert [name for name in bad if accepts(name)] == []


def test_short_names_stay_and_long_names_stay_apart() -> None:
    assert names.shortened("chat-0") == "chat-0"
    first, second = names.shortened("n" * 80 + "-1"), names.shortened("n" * 80 + "-2")
    assert first != second
    assert names.is_label_value(first)
    assert names.is_label_value(names.shortened("a" * 53 + "." * 20 + "b"))
