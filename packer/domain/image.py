"""Container images: how a reference is written, and whether it names one image for good."""

import re

IMAGE_PATTERN = (
    r"[a-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:[0-9]{1,5})?"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?"
)
"""Source: the grammar of distribution/reference; of digests only SHA-256 is taken."""
LONGEST_IMAGE = 400


def is_image_reference(text: str) -> bool:
    """Whether a text names an image, with or without tag and digest."""
    return len(text) <= LONGEST_IMAGE and re.fullmatch(IMAGE_PATTERN, text) is not None


def image_note(image: str) -> str:
    """What a reader must know of an image that no digest names; empty where one does."""
    if "@sha256:" in image:
        return ""
    return (
        f"The image {image} is not named by a digest: whoever owns its tag decides what runs. "
        "Write image: NAME:TAG@sha256:… in the fleet once you have checked one."
    )
