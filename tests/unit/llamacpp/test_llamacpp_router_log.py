"""A router's log, parted by model; and the slots a server tells."""

import pytest

from packer.llamacpp.router_log import model_logs
from packer.llamacpp.server_slots import ServerSlots, read_server_slots

# Lines as a router of build b11434 printed them.
LOG = """\
0.00.063.149 I srv          load: spawning server instance with name=chat on port 57863
0.00.067.217 I srv          load: spawning server instance with name=small on port 57437
[57863] 0.00.088.484 I load_tensors:   CPU_Mapped model buffer size =     1.05 MiB
[57437] 0.00.090.208 I llama_kv_cache:        CPU KV buffer size =     1.00 MiB
[57863]
0.03.094.754 I srv  proxy_reques: proxying request to model chat on port 57863
[11111] nobody knows whose
"""


def test_each_model_has_the_lines_behind_its_port() -> None:
    logs = model_logs(LOG.splitlines())
    assert logs == {
        "chat": ["0.00.088.484 I load_tensors:   CPU_Mapped model buffer size =     1.05 MiB", ""],
        "small": ["0.00.090.208 I llama_kv_cache:        CPU KV buffer size =     1.00 MiB"],
    }


def test_a_model_that_was_started_again_has_the_lines_of_its_newest_server() -> None:
    again = "0.09.0 I srv load: spawning server instance with name=chat on port 6000\n[6000] new\n"
    assert model_logs((LOG + again).splitlines())["chat"] == ["new"]


def test_a_model_whose_start_is_not_there_is_missing() -> None:
    assert set(model_logs(LOG.splitlines()[1:])) == {"small"}


def test_slots_as_the_server_tells_them() -> None:
    slot = {"id": 0, "n_ctx": 2048, "speculative": False, "is_processing": False}
    assert read_server_slots([slot, slot]) == ServerSlots((2048, 2048), False)
    assert read_server_slots([slot | {"speculative": True}]).is_speculative


@pytest.mark.parametrize("answer", [None, {}, [1], [{"id": 0}], [{"n_ctx": "2048"}]])
def test_anything_else_is_no_list_of_slots(answer: object) -> None:
    with pytest.raises(ValueError, match="no list of slots"):
        read_server_slots(answer)
