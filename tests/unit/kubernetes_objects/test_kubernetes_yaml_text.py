import json
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.kubernetes_objects.yaml_text import KubernetesObject, to_yaml
from tests.tools import require_tool

# Every one is something else than a string to some YAML reader if it is not quoted.
TREACHEROUS = [
    *("yes", "No", "ON", "off", "y", "N", "true", "False", "null", "~", "", " ", "-", "---", "..."),
    *("1", "1.0", "1e3", "1_000", "0x1f", "0o17", "017", "1:20", "190:20:30", ".inf", ".NaN", "+1"),
    *(
        "2026-11-22",
        "=",
        "<<",
        "!!python/object:os.system",
        "!tag",
        "&anchor",
        "*alias",
        "@at",
        "`x",
    ),
    *(
        "%TAG",
        "# comment",
        "a # b",
        "a: b",
        "{{ value }}",
        "[a]",
        "{a: b}",
        "- a",
        "? a",
        "| a",
        ">",
    ),
    *("'", '"', "it's", '"quoted"', "\\", "a\\nb", "$(HOME)", "$$(HOME)", "\ttab", "trailing "),
    *(
        "a\n",
        "\na",
        " a\nb",
        "a\n\n",
        "a \nb",
        "a\n b\n",
        "a\r\nb",
        "a\x00b",
        "a\x85b",
        "\u2028",
        "é",
    ),
    *(
        "\ufeffx",
        "\U0001f600",
        "x" * 5000,
        "nan",
        "inf",
        "Infinity",
        "0",
        "-0",
        "08",
        "1,000",
        "12e03",
    ),
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.sampled_from(TREACHEROUS)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12), VALUES, min_size=1, max_size=5
)


@settings(deadline=None)
@given(OBJECTS)
def test_reads_back_as_it_was(document: dict[str, object]) -> None:
    text = to_yaml(document, "header")  # type: ignore[arg-type]
    assert text.startswith("# header\n")
    assert yaml.safe_load(text) == document
    assert yaml.load(text, Loader=yaml.SafeLoader) == document


def test_kubectl_reads_every_string_as_a_string(tmp_path: Path) -> None:
    kubectl = require_tool("kubectl")
    readable = [text for text in TREACHEROUS if "\x00" not in text]
    data = {f"k{index}": text for index, text in enumerate(readable)}
    document: KubernetesObject = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "strings", "annotations": data},
        "data": data,
    }
    (tmp_path / "strings.yaml").write_text(to_yaml(document, "header"))
    read = subprocess.run(
        [kubectl, "annotate", "--local", "-f", str(tmp_path / "strings.yaml"), "a=b", "-o", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(read.stdout)["data"] == data


def test_words_are_plain_and_everything_else_is_quoted() -> None:
    text = to_yaml({"a": "word", "b": "on", "c": "1e3", "d": "--flag", "e": 1, "f": True}, "h")
    assert text == '# h\na: word\nb: "on"\nc: "1e3"\nd: "--flag"\ne: 1\nf: true\n'


def test_texts_of_several_lines_are_literal_blocks() -> None:
    text = to_yaml({"preset.ini": "[chat]\nctx-size = 8\n"}, "h")
    assert text == "# h\npreset.ini: |\n  [chat]\n  ctx-size = 8\n"


def test_the_same_object_twice_makes_no_anchor() -> None:
    shared = {"path": "/health"}
    text = to_yaml({"a": shared, "b": shared, "c": (shared,)}, "h")
    assert "&" not in text
    assert json.loads(json.dumps(yaml.safe_load(text))) == {"a": shared, "b": shared, "c": [shared]}


@pytest.mark.parametrize("header", ["a\nkind: Pod", "a\rb"])
def test_a_header_cannot_leave_its_line(header: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        to_yaml({"a": 1}, header)


def test_objects_that_are_not_plain_are_refused() -> None:
    with pytest.raises(yaml.representer.RepresenterError):
        to_yaml({"a": object()}, "h")  # type: ignore[dict-item]
