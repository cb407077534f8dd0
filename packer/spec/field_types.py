"""Types of single texts and flags in the files; each refuses in words."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    Strict,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from packer.domain.image import IMAGE_PATTERN, LONGEST_IMAGE
from packer.domain.model_mount import model_pod_path
from packer.domain.mount import QUANTIZATION_PLACE, InvalidMount

LONGEST_NAME = 40
"""Names become parts of object names such as ``slot-<pool>-<node>-gpu15``, at most 63 long."""

Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]


def refusal(kind: str, why: str, help_: str = "") -> PydanticCustomError:
    """An error that ``problems`` turns into the code of its kind, with these words."""
    return PydanticCustomError(kind, "{why}", {"why": why, "help": help_})


@dataclass(frozen=True)
class TextForm:
    """Form a text must have, for the validator and the JSON Schema alike.

    Attributes:
        kind: ``name`` or ``text``; chooses the error code.
        rule: Why another text is refused.
        example: What to write.
    """

    kind: str
    pattern: str
    longest: int
    rule: str
    example: str

    def fits(self, text: str) -> bool:
        """Whether a text has the form."""
        return len(text) <= self.longest and re.fullmatch(self.pattern, text) is not None

    def check(self, text: str) -> str:
        """The text itself, if it has the form."""
        if self.fits(text):
            return text
        why = self.rule
        # Bounded before matching: some forms take more than linear time on long texts.
        if len(text) > 4 * self.longest or re.fullmatch(self.pattern, text):
            why = f"{len(text)} characters are too long, at most {self.longest} are allowed"
        raise refusal(self.kind, why, f"such as {self.example}")

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        form: dict[str, Any] = handler(schema)
        return form | {
            "pattern": f"^{self.pattern}$",
            "maxLength": self.longest,
            "examples": [self.example],
        }


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_RULE = "only small letters, digits and - are allowed, with a letter or digit at both ends"

NAME = TextForm("name", _LABEL, LONGEST_NAME, _LABEL_RULE, "eu-cluster")
SERVICE_NAME = TextForm(
    "name",
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    LONGEST_NAME,
    "it names a Service: a small letter, then small letters, digits and -, not - at the end",
    "chat-70b",
)
NODE_NAME = TextForm(
    "name", rf"{_LABEL}(\.{_LABEL})*", 200, f"{_LABEL_RULE}, in parts", "gpu-node-3"
)
ZONE_NAME = TextForm(
    "name",
    r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
    63,
    "it becomes a label value: letters, digits and - _ . with a letter or digit at both ends",
    "eu-west-1a",
)
CARD_KEY = TextForm(
    "text", "gpu[0-9]{1,2}", 5, "cards are called gpu0, gpu1 … on each node", "gpu1"
)
GPU_UUID = TextForm(
    "text",
    r"(GPU|MIG)-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    40,
    "it is not what nvidia-smi -L prints",
    "GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d",
)
GPU_NAME = TextForm(
    "text",
    r"[A-Za-z0-9][A-Za-z0-9 ()._+-]*",
    60,
    "a GPU's name is made of letters, digits, spaces and ( ) . _ + -",
    "L40S",
)
PRODUCT_LABEL = TextForm(
    "text",
    r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
    63,
    "it is not the value of a nvidia.com/gpu.product label",
    "NVIDIA-L40S",
)
QUANTIZATION_NAME = TextForm(
    "text",
    r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    32,
    "a quantization's name is made of letters, digits and _ . -",
    "Q4_K_M",
)
BUILD_NUMBER = TextForm(
    "text", r"b[0-9]{4,7}", 8, "llama.cpp builds are called b and a number", "b11434"
)
IMAGE_REFERENCE = TextForm(
    "text",
    IMAGE_PATTERN,
    LONGEST_IMAGE,
    "it is not an image reference",
    "ghcr.io/ggml-org/llama.cpp:server-cuda-b11434",
)
# No control characters, and nothing that reads as a flag.
MODEL_TEXT = TextForm(
    "text",
    r"[^\s\-\x00-\x1f\x7f-\x9f\u2028\u2029][^\x00-\x1f\x7f-\x9f\u2028\u2029]*",
    400,
    "a model is a path, or a name of the catalogue",
    "catalogue:llama-3.1-8b",
)
CURRENCY = TextForm("text", r"[A-Z]{3}", 3, "a currency is three capital letters", "EUR")
SOURCE_TEXT = TextForm(
    "text", r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*", 200, "one line of text", "price book"
)

Name = Annotated[str, NAME]
ServiceName = Annotated[str, SERVICE_NAME]
NodeName = Annotated[str, NODE_NAME]
ZoneName = Annotated[str, ZONE_NAME]
CardKey = Annotated[str, CARD_KEY]
GpuUuid = Annotated[str, GPU_UUID]
GpuName = Annotated[str, GPU_NAME]
ProductLabel = Annotated[str, PRODUCT_LABEL]
QuantizationName = Annotated[str, QUANTIZATION_NAME]
BuildNumber = Annotated[str, BUILD_NUMBER]
ImageReference = Annotated[str, IMAGE_REFERENCE]
ModelText = Annotated[str, MODEL_TEXT]
Currency = Annotated[str, CURRENCY]
SourceText = Annotated[str, SOURCE_TEXT]

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
"""Element types llama.cpp takes for ``--cache-type-k``. Source: b11434, common/arg.cpp."""


def _day(value: object) -> date:
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return date.fromisoformat(value)
    except ValueError as error:
        raise refusal("text", str(error), "such as 2026-11-01") from error
    raise refusal("text", "a date is written year-month-day", "such as 2026-11-01")


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


def _compute_capability(value: object) -> str:
    """``8.9`` is a number to YAML, so both are taken."""
    text = str(value) if isinstance(value, Decimal | str) else ""
    if not re.fullmatch(r"[1-9][0-9]?\.[0-9]", text):
        raise refusal("text", "a CUDA compute capability has the form 8.9", "such as 8.9")
    return text


ComputeCapability = Annotated[
    str,
    BeforeValidator(_compute_capability),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "examples": [8.9]}),
]


def _template(text: str) -> str:
    if re.search(r"[{}]", text.replace(QUANTIZATION_PLACE, "")):
        raise refusal("text", "only {quantization} may stand in braces")
    return text


def _mountable(text: str) -> str:
    """A URI that pods mount, or a path of this machine."""
    if "://" in text:
        try:
            model_pod_path(text.replace(QUANTIZATION_PLACE, "Q4_K_M"))
        except InvalidMount as error:
            raise refusal("text", str(error)) from error
    return text


ModelReference = Annotated[ModelText, AfterValidator(_template)]
FileReference = Annotated[ModelText, AfterValidator(_template), AfterValidator(_mountable)]
