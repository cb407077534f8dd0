"""Every option of `render` stands on the page of its target."""

from packer.cli.main import app
from tests.planned import ROOT


def _options() -> set[str]:
    import typer.main

    command = typer.main.get_command(app)
    render = command.commands["render"]  # type: ignore[attr-defined]
    return {name for one in render.params for name in one.opts if name.startswith("--")}


def test_every_option_is_documented() -> None:
    pages = (ROOT / "docs/kubernetes.md", ROOT / "docs/render-targets.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    missing = {name for name in _options() if f"`{name}" not in text} - {"--out", "--help"}
    assert not missing
