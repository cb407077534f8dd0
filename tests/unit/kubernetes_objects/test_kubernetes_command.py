import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.kubernetes_objects.container_command import escaped, flag_value, port_of


def _expanded(text: str, variables: dict[str, str]) -> str:
    """What Kubernetes makes of an argument, written from its documented rule."""
    out, rest = "", text
    while rest:
        if rest.startswith("$$"):
            out, rest = out + "$", rest[2:]
        elif rest.startswith("$(") and ")" in rest:
            name, _, rest = rest[2:].partition(")")
            out += variables.get(name, f"$({name})")
        else:
            out, rest = out + rest[0], rest[1:]
    return out


@given(st.text(st.sampled_from("$()A x"), max_size=20))
def test_kubernetes_hands_on_what_was_meant(argument: str) -> None:
    assert _expanded(escaped(argument), {"A": "secret", "": "empty"}) == argument


def test_the_rule_above_does_expand() -> None:
    assert _expanded("$(A) $$(A) $B", {"A": "secret"}) == "secret $(A) $B"


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (("x", "--port", "1"), "1"),
        (("x", "--port", "1", "--port", "2"), "2"),
        (("x", "--port"), None),
        (("x",), None),
    ],
)
def test_the_last_of_a_flag_counts(argv: tuple[str, ...], value: str | None) -> None:
    assert flag_value(argv, "--port") == value


def test_port() -> None:
    assert port_of(("llama-server",)) == 8080
    assert port_of(("llama-server", "--port", "9000")) == 9000


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "８０", "1" * 30, "8 "])
def test_no_port(port: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        port_of(("llama-server", "--port", port))
