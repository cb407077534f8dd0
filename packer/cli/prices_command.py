"""``gpu-packer prices``: the user's own price file, filled from catalogues of other tools."""

from typing import Annotated

import typer

from packer.cli.console import say


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    prices = typer.Typer(help="Keep a price file of your own.", no_args_is_help=True)
    prices.command(
        "update",
        epilog="Examples: gpu-packer prices update --from aws.csv --out prices.csv   |   "
        "gpu-packer prices update --from lambda/vms.csv --as-of 2026-11-20 --out prices.csv",
    )(update)
    app.add_typer(prices, name="prices")


def update(
    source: Annotated[
        str, typer.Option("--from", metavar="FILE.csv", help="A gpuhunt or SkyPilot catalogue.")
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="PRICES.csv", help="Price file to write or renew.")
    ],
    provider: Annotated[
        str, typer.Option(help="Whose prices these are. Default: the name of the file.")
    ] = "",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="2026-11-20", help="Day of the catalogue.")
    ] = "",
) -> None:
    """Import prices of a gpuhunt or SkyPilot catalogue; other rows of the price file stay."""
    from packer import api

    done = api.update_prices(source, out, provider=provider, as_of=as_of)
    say(
        f"{done.form} catalogue: {done.rows} instances taken, {done.replaced} of them renewed, "
        f"{done.kept} further rows kept in {out}"
    )
    if done.merged:
        say(f"{done.merged} rows of zones became one with their region, the dearest price each")
    if done.left_out:
        names = ", ".join(f"{name} {count}" for name, count in done.left_out.items())
        say(f"{sum(done.left_out.values())} rows left out: {names}")
    if not as_of:
        say("warning: the rows have no date; --as-of says when the catalogue was made")
