"""Random tiny models and random command lines for them."""

from gguf import GGMLQuantizationType as Type
from hypothesis import strategies as st

from tests.tiny_models import ARCHITECTURES, TinyShape

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
_BLOCK = 32


@st.composite
def tiny_shapes(draw: st.DrawFn) -> TinyShape:
    """Shapes every quantized cache type fits: heads are whole blocks wide."""
    architecture = draw(st.sampled_from(ARCHITECTURES))
    head = _BLOCK * draw(st.integers(1, 4))
    groups, shared = draw(st.integers(1, 3)), draw(st.sampled_from((1, 2, 4)))
    # qwen2 has no head width of its own: its heads share the model's width.
    blocks = draw(st.integers(1, 6))
    width = groups * shared * head if architecture == "qwen2" else _BLOCK * blocks
    experts = draw(st.integers(2, 6))
    return TinyShape(
        architecture=architecture,
        layers=draw(st.integers(1, 14)),
        width=width,
        heads=groups * shared,
        key_value_heads=shared,
        head_width=head,
        feed_forward=_BLOCK * draw(st.integers(1, 8)),
        experts=experts,
        experts_used=draw(st.integers(1, experts)),
        window=draw(st.sampled_from((64, 256, 300, 1024))),
        context=draw(st.sampled_from((512, 2048, 4096, 32768))),
        is_tied=draw(st.booleans()),
        weight_type=draw(st.sampled_from((Type.F32, Type.Q8_0, Type.Q4_0))),
        pieces=draw(st.integers(1, 60)),
    )


@st.composite
def sizing_flags(draw: st.DrawFn) -> list[str]:
    """Flags of one command line without its model that llama.cpp accepts.

    V is quantized only with flash attention, and a batch holds a token of every slot.
    """
    slots = draw(st.integers(1, 9))
    context = draw(st.one_of(st.just(0), st.integers(slots * 256, 40_000)))
    attention = draw(st.sampled_from(("on", "off", "auto")))
    type_v = draw(st.sampled_from(CACHE_TYPES if attention == "on" else CACHE_TYPES[:3]))
    flags = ["-c", str(context), "-np", str(slots), "-fa", attention]
    flags += ["-ctk", draw(st.sampled_from(CACHE_TYPES)), "-ctv", type_v]
    flags += ["-b", str(draw(st.integers(slots, 2048))), "-ub", str(draw(st.integers(1, 700)))]
    flags += draw(st.sampled_from(([], ["-kvu"], ["-no-kvu"])))
    flags += draw(st.sampled_from(([], ["--swa-full"])))
    return flags
