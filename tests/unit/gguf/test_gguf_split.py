from pathlib import Path

import pytest

from packer.errors import InvalidModelFile
from packer.gguf import header
from packer.gguf.header import read_model_file
from tests import gguf_bytes as made
from tests.gguf_bytes import Key


def part_name(number: int, count: int = 3) -> str:
    return f"tiny-{number + 1:05d}-of-{count:05d}.gguf"


def parts() -> list[made.Gguf]:
    """The small llama in three parts, as the publisher's own splitter makes them."""
    whole = made.llama()
    total = len(whole.tensors)
    slices = (slice(0, 5), slice(5, 9), slice(9, total))
    split = []
    for number, chosen in enumerate(slices):
        keys = [
            Key("split.no", made.UINT16, number),
            Key("split.count", made.UINT16, 3),
            Key("split.tensors.count", made.INT32, total),
        ]
        split.append(made.Gguf((whole.keys if number == 0 else []) + keys, whole.tensors[chosen]))
    return split


def write(folder: Path, split: list[made.Gguf]) -> None:
    for number, part in enumerate(split):
        (folder / part_name(number)).write_bytes(part.file())


def problems(path: Path) -> list[str]:
    with pytest.raises(InvalidModelFile) as caught:
        read_model_file(path)
    assert {problem.code for problem in caught.value.problems} <= {"P0301", "P0311"}
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("number", range(3))
def test_any_part_stands_for_all(tmp_path: Path, number: int) -> None:
    split = parts()
    write(tmp_path, split)
    model = read_model_file(tmp_path / part_name(number))
    assert [t.name for t in model.tensors] == [t.name for t in made.llama().tensors]
    assert model.file_bytes == sum(len(part.file()) for part in split)
    assert model.number("block_count") == 2
    assert model.vocabulary_size == 64
    assert model.data_offset == len(split[0].header())
    assert model.tensor_parts == (0,) * 5 + (1,) * 4 + (2,) * 11
    assert [model.tensor_offsets[i] for i in (0, 5, 9)] == [0, 0, 0]
    assert model.origin == str(tmp_path / part_name(number))


def test_a_model_of_one_part_is_not_split(tmp_path: Path) -> None:
    content = made.llama()
    content.keys += [Key("split.no", made.UINT16, 0), Key("split.count", made.UINT16, 1)]
    (tmp_path / "any name.gguf").write_bytes(content.file())
    assert read_model_file(tmp_path / "any name.gguf").tensor_parts == ()


def test_every_missing_part_is_named(tmp_path: Path) -> None:
    write(tmp_path, parts())
    (tmp_path / part_name(0)).unlink()
    (tmp_path / part_name(2)).unlink()
    found = problems(tmp_path / part_name(1))
    assert len(found) == 2
    assert part_name(0) in found[0]
    assert part_name(2) in found[1]


@pytest.mark.parametrize(
    "name", ["tiny.gguf", part_name(1, 4), part_name(3), "-00000-of-00003.gguf"]
)
def test_a_renamed_part_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(parts()[0].file())
    assert "its name does not say which" in problems(tmp_path / name)[0]


def test_parts_that_point_at_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, parts())
    (tmp_path / part_name(2)).unlink()
    (tmp_path / part_name(2)).symlink_to(tmp_path / part_name(1))
    found = problems(tmp_path / part_name(0))
    assert "says it is part 1 of 3, not 2 of 3" in found[0]
    assert any("is also in" in problem for problem in found)


def test_a_part_of_another_split_is_refused(tmp_path: Path) -> None:
    split = parts()
    split[1].keys[1] = Key("split.count", made.UINT16, 1000)
    write(tmp_path, split)
    assert "part 1 of 1000, not 1 of 3" in problems(tmp_path / part_name(0))[0]


def test_a_part_that_is_the_whole_model_is_refused(tmp_path: Path) -> None:
    split = parts()
    split[1] = made.llama()
    write(tmp_path, split)
    assert "says it is part None of None" in problems(tmp_path / part_name(0))[0]


def test_lost_tensors_are_noticed(tmp_path: Path) -> None:
    split = parts()
    del split[2].tensors[-1]
    write(tmp_path, split)
    assert "20 tensors are announced, the parts hold 19" in problems(tmp_path / part_name(0))[0]


@pytest.mark.parametrize(
    "key", [Key("split.count", made.UINT16, 2000), Key("split.count", made.STRING, "3")]
)
def test_an_absurd_count_is_refused(tmp_path: Path, key: Key) -> None:
    content = made.llama()
    content.keys.append(key)
    path = tmp_path / part_name(0)
    path.write_bytes(content.file())
    assert "split.count is" in problems(path)[0]


def test_a_broken_part_is_named(tmp_path: Path) -> None:
    split = parts()
    write(tmp_path, split)
    (tmp_path / part_name(1)).write_bytes(split[1].file()[:100])
    with pytest.raises(InvalidModelFile, match="P0304") as caught:
        read_model_file(tmp_path / part_name(0))
    assert part_name(1) in str(caught.value)


def test_parts_hold_no_more_tensors_than_one_file_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, parts())
    monkeypatch.setattr(header, "MOST_TENSORS", 8)
    with pytest.raises(InvalidModelFile, match="P0305"):
        read_model_file(tmp_path / part_name(0))
