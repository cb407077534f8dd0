"""compare, prices, cost and risk through the command line, good input and bad."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from packer.cli.main import run

FLEET = """
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: two}
serverImage: {image: x/y:server-cuda-b11434}
workloads:
- {name: a, model: "catalogue:qwen3-0.6b", quantizations: [Q8_0], context: 2Ki}
- {name: b, model: "catalogue:qwen3-0.6b", quantizations: [Q8_0], context: 2Ki, spot: allowed}
"""
RENTED = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: rented}
rent:
- {provider: aws, region: eu-central-1, instanceTypes: [g6.xlarge, g6e.xlarge], maxNodes: 2}
"""
OURS = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: ours}
nodePools:
- {name: l4, gpu: L4, gpusPerNode: 1, nodes: 2, hostMemory: 64Gi,
   pricePerHour: {onDemand: 0.70, currency: EUR, asOf: 2026-11-01, source: <b>mail</b>}}
"""
SMALL = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: small}
nodePools:
- {name: tiny, gpu: {name: Tiny, memory: 1Gi, bandwidth: 100G, computeCapability: 8.9},
   gpusPerNode: 1, nodes: 1, hostMemory: 64Gi, pricePerHour: {onDemand: 0.1, currency: EUR}}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in {
        "fleet": FLEET,
        "rented": RENTED,
        "ours": OURS,
        "small": SMALL,
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def asked(files: Path, *inventories: str) -> list[str]:
    options = ["-f", str(files / "fleet.yaml"), "--workers", "1"]
    for name in inventories:
        options += ["-i", str(files / f"{name}.yaml")]
    return options


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(list(words)) == 2
    return capsys.readouterr().err


def test_compare_ranks_every_scenario_and_saves_it(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, plan = files / "c.json", files / "plan.json"
    status = run(
        [
            "compare",
            *asked(files, "rented", "ours", "small"),
            *("--rate", "EUR=1.10@2026-11-20", "--currency", "USD", "-o", "csv"),
            *("--out", str(saved), "--plan-out", str(plan)),
        ]
    )
    assert status == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["scenario"] for row in rows] == ["ours", "rented", "small"]
    assert [row["chosen"] for row in rows] == ["True", "False", "False"]
    assert rows[0]["price_per_hour"] == "0.77"
    assert rows[2]["why_not"].startswith("does not fit")
    assert rows[2]["price_per_hour"] == ""
    assert "warning: the oldest price in use is" in err
    document = json.loads(saved.read_text(), parse_float=Decimal)
    assert document["kind"] == "FleetComparison"
    assert document["rates"] == ["1 EUR = 1.10 USD, 2026-11-20, --rate"]
    share = document["attribution"]
    assert sum(line["per_month"] for line in share["lines"]) == share["per_month"]
    assert json.loads(plan.read_text())["price_per_hour"] == 0.77


def test_every_figure_of_a_comparison_can_be_computed_again(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *asked(files, "rented"), "-o", "json", "--each-type"]) == 0
    document = json.loads(capsys.readouterr().out, parse_float=Decimal, parse_int=Decimal)
    best = document["contenders"][0]
    for row in document["contenders"]:
        paid = sum(part["nodes"] * part["price_per_hour"] for part in row["mix"])
        assert row["price_per_hour"] == paid
        assert row["price_per_month"] == round(paid * document["hours_per_month"], 2)
        assert row["nodes"] == sum(part["nodes"] for part in row["mix"])
        gap = (row["price_per_hour"] - row["bound_per_hour"]) / row["price_per_hour"] * 100
        assert row["gap_percent"] == round(gap, 2)
        assert row["is_proved_dearer"] == (row["bound_per_hour"] > best["price_per_hour"])
        for way in row["ways"]:
            if way["price_per_hour"] is not None:
                ratio = way["price_per_hour"] / row["price_per_hour"]
                assert way["price_ratio"] == round(ratio, 2)


def test_a_comparison_is_the_same_each_time_but_for_its_run(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = []
    for _ in range(2):
        assert run(["compare", *asked(files, "rented"), "-o", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        del document["run"]
        texts.append(document)
    assert texts[0] == texts[1]


def test_what_people_wrote_is_escaped_in_markdown(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = files / "book.csv"
    book.write_text(
        "provider,region,instanceType,gpu,gpus,memoryGib,onDemand\n"
        "aws,eu-central-1,g6.<script>,L4,1,64,0.01\n"
    )
    (files / "rented.yaml").write_text(RENTED.replace("g6.xlarge, ", "g6.*, "))
    words = ["compare", *asked(files, "rented"), "--prices", str(book), "-o", "markdown"]
    assert run(words) == 0
    text = capsys.readouterr().out
    assert "<script>" not in text
    assert "\\<script\\>" in text


def test_nothing_fits_anywhere(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *asked(files, "small")]) == 1
    assert "does not fit" in capsys.readouterr().out


def test_mixed_currencies_need_a_rate(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = refused(capsys, "compare", *asked(files, "rented", "ours"))
    assert "P0913" in err
    assert "--rate EUR=" in err
    err = refused(capsys, "compare", *asked(files, "ours"), "--rate", "EUR=-1")
    assert "P0918" in err


@pytest.mark.parametrize(
    ("old", "new", "code", "near"),
    [
        ("eu-central-1", "eu-centrl-1", "P0907", "eu-central-1"),
        ("aws", "asw", "P0906", "aws"),
        ("g6e.xlarge", "g6e.xlrge", "P0908", "g6e.xlarge"),
        ("maxNodes: 2", "maxNodes: 2, gpu: L4OS", "P0901", "L40S"),
        ("maxNodes: 2", "maxNodes: 2, payment: [reserved-3y]", "P0915", "price book"),
        ("provider", "provder", "P0104", "provider"),
    ],
)
def test_rent_that_means_nothing_names_the_nearest(
    files: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: str, near: str
) -> None:
    (files / "rented.yaml").write_text(RENTED.replace(old, new))
    err = refused(capsys, "compare", *asked(files, "rented"))
    assert code in err
    assert near in err
    assert "rented.yaml:" in err


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("book.csv", "provider,gpu,gpus,price\naws,L4,1,1\n", "P0911"),
        ("book.csv", "provider,gpu,gpus,onDemand\naws,L4,1,-1\n", "P0912"),
        ("book.yaml", "apiVersion: gpu-packer/v1\nkind: Fleet\n", "P0114"),
    ],
)
def test_a_price_book_that_is_none_is_refused(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, code: str
) -> None:
    (files / name).write_text(text)
    words = ["compare", *asked(files, "rented"), "--prices", str(files / name)]
    assert code in refused(capsys, *words)


def test_hardware_of_a_pool_that_is_nowhere_is_refused(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = files / "book.csv"
    head = "pool,purchasePrice,years,powerWatts,coolingFactor,electricityPrice\n"
    book.write_text(f"{head}l5,1000,4,100,1.2,0.2\n")
    words = ["compare", *asked(files, "ours"), "--prices", str(book)]
    err = refused(capsys, *words)
    assert "P0914" in err
    assert "l4" in err


def test_prices_update_keeps_what_it_does_not_renew(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = files / "prices.csv"
    update = ["prices", "update", "--provider", "aws", "--out", str(out), "--from"]
    run([*update, "tests/data/prices/vms.csv", "--as-of", "2026-11-20"])
    assert "SkyPilot catalogue: 3 instances taken" in capsys.readouterr().err
    run([*update, "tests/data/prices/gpuhunt.csv"])
    err = capsys.readouterr().err
    assert "3 instances taken, 2 of them renewed, 1 further rows kept" in err
    assert "rows left out" in err
    assert "no date" in err
    listed = ["catalogue", "prices", "--gpu", "L40S", "--region", "eu-*", "--prices", str(out)]
    assert run([*listed, "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    (mine,) = [row for row in rows if row["instance_type"] == "g6e.xlarge"]
    assert (mine["on_demand_per_hour"], mine["spot_per_hour"]) == ("2.327", "1.1")
    assert mine["as_of"] is None


def test_an_import_must_say_whose_prices_and_when(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vms = files / "vms.csv"
    vms.write_text(Path("tests/data/prices/vms.csv").read_text())
    out = str(files / "p.csv")
    words = ["prices", "update", "--from", str(vms), "--out", out]
    assert "P0912" in refused(capsys, *words, "--as-of", "yesterday")
    assert run(words) is None or run(words) == 0
    assert files.name.lower() in Path(out).read_text()
    assert "P0916" in refused(capsys, "prices", "update", "--from", out, "--out", out)


def test_ages_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["catalogue", "prices", "--gpu", "L40S"]) in (0, None)
    text = capsys.readouterr().out
    assert "DAYS OLD" in text
    assert "unknown" in text


def test_cost_and_risk_of_a_saved_plan(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = str(files / "plan.json")
    assert run(["plan", *asked(files, "ours"), "--out", plan]) == 0
    capsys.readouterr()
    assert run(["cost", plan, "--key", "both", "--load", "a=3", "--load", "b=1", "-o", "json"]) in (
        0,
        None,
    )
    share = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert (share["key"], share["load_basis"]) == ("both", "given")
    assert sum(line["per_month"] for line in share["lines"]) == share["per_month"]
    paid = {line["name"]: line["per_hour"] for line in share["lines"] if line["name"]}
    assert paid["a"] > paid["b"]
    assert "P0922" in refused(capsys, "cost", plan, "--load", "c=1")
    words = ["risk", plan, *asked(files, "ours"), "--time-limit", "5"]
    assert run([*words, "--out", str(files / "risk.json")]) in (0, None)
    assert "breaks first" in capsys.readouterr().out
    found = json.loads((files / "risk.json").read_text())
    assert found["kind"] == "Risk"
    (files / "ours.yaml").write_text(OURS.replace("0.70", "0.71"))
    assert "P0923" in refused(capsys, *words)


def test_a_plan_on_other_terms_is_not_assessed_on_these(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(files / "plan.json")
    terms = ["--terms", "reserved-1y"]
    assert run(["compare", *asked(files, "rented"), *terms, "--plan-out", plan]) == 0
    capsys.readouterr()
    words = ["risk", plan, *asked(files, "rented"), "--total", "1"]
    assert "P0923" in refused(capsys, *words)
    assert run([*words, *terms]) in (0, None)
