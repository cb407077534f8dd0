"""Addresses of model files on other machines, as they may be shown."""

import re


def is_remote(reference: str) -> bool:
    """Whether a model reference names a file on another machine."""
    return reference.lower().startswith(("http://", "https://", "hf://"))


def without_secrets(url: str) -> str:
    """A URL for people and plans: no user name, password or signed query."""
    address = url.partition("?")[0].partition("#")[0]
    return re.sub(r"(?<=://)[^/@]*@", "", address)
