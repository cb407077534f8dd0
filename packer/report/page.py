"""Self-contained pages: no network, no fonts to fetch, a content policy that forbids both."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files

from packer.report.svg_cards import PATTERNS

_SHEETS = ("cards.css", "charts.css", "report.css")
_SCRIPT = "report.js"


def render_page(template: str, values: Mapping[str, object]) -> str:
    """A template with the style and the script that every page has, and nothing from elsewhere."""
    # Jinja and its template take a fifth of a second: only those who want a page pay for them.
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from packer.report.html_filters import FILTERS

    environment = Environment(
        loader=PackageLoader("packer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    sheet = "".join(_resource(name) for name in _SHEETS)
    script = _resource(_SCRIPT)
    return environment.get_template(template).render(
        policy=_content_policy(sheet, script),
        style=Markup(sheet),  # noqa: S704 — our own files
        script=Markup(script),  # noqa: S704
        patterns=Markup(PATTERNS),  # noqa: S704
        **values,
    )


def _resource(name: str) -> str:
    return (files("packer.report") / "templates" / name).read_text(encoding="utf-8")


def _content_policy(sheet: str, script: str) -> str:
    """Nothing may run or be fetched but the style and the script of this very page."""
    return (
        f"default-src 'none'; style-src '{_hash(sheet)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
