"""The Python API: what the command line does, as functions; wires the floors together.

::

    from packer import api
    inputs = api.load("fleet.yaml", "inventory.yaml")
    plan = api.plan(inputs)
    print(api.plan_table(plan))
    api.render(plan, "build/manifests")
    api.report(plan, "build/report")

Each function imports what it needs when it is called, so that asking for little loads little.
"""

from packer.api.assessing import risk, risk_text
from packer.api.bills import attribution, attribution_text
from packer.api.calibrating import calibrate
from packer.api.calibration_file import calibration_text, read_calibration
from packer.api.changing import LiveDifference, apply, check_fits, diff, order_of, rollout_text
from packer.api.comparing import Compared, compare
from packer.api.comparison_texts import comparison_shown, comparison_text, price_warnings
from packer.api.consulting import ask_oracle
from packer.api.estimating import (
    estimate_batch,
    estimate_command,
    estimate_process,
    estimate_server,
)
from packer.api.fleet_calibrating import written_calibration
from packer.api.host_services import host_guarantees, host_services, render_host_services
from packer.api.inputs import Input, load, load_live
from packer.api.inspecting import cache_costs, inspect, largest_context
from packer.api.live_inventory import InventoryText, live_inventory
from packer.api.manifests import guarantees, manifests, render
from packer.api.measurements import Calibration
from packer.api.plan_sources import PlanSources
from packer.api.planning import plan
from packer.api.price_books import PriceUpdate, read_price_book, update_prices
from packer.api.process_speed import ServerEstimate, SpeedQuestion
from packer.api.recording import KeptChange, change_record
from packer.api.reports import (
    catalogue,
    difference_text,
    read_beside,
    report,
    report_difference,
    schema_text,
)
from packer.api.running_fleet import running_fleet
from packer.api.saved_plan import (
    explain,
    moves_text,
    plan_table,
    plan_text,
    plan_yaml,
    read_plan,
    replan_text,
    save,
)
from packer.api.solving import solve, verify
from packer.api.speed_calibrating import MeasuredServer, calibrate_speed
from packer.api.sweeping import sweep, sweep_table
from packer.api.verifying import Verification, verification_text, verify_fleet
from packer.api.watching import Changes, watched

__all__ = [
    "Calibration",
    "Changes",
    "Compared",
    "Input",
    "InventoryText",
    "KeptChange",
    "LiveDifference",
    "MeasuredServer",
    "PlanSources",
    "PriceUpdate",
    "ServerEstimate",
    "SpeedQuestion",
    "Verification",
    "apply",
    "ask_oracle",
    "attribution",
    "attribution_text",
    "cache_costs",
    "calibrate",
    "calibrate_speed",
    "calibration_text",
    "catalogue",
    "change_record",
    "check_fits",
    "compare",
    "comparison_shown",
    "comparison_text",
    "diff",
    "difference_text",
    "estimate_batch",
    "estimate_command",
    "estimate_process",
    "estimate_server",
    "explain",
    "guarantees",
    "host_guarantees",
    "host_services",
    "inspect",
    "largest_context",
    "live_inventory",
    "load",
    "load_live",
    "manifests",
    "moves_text",
    "order_of",
    "plan",
    "plan_table",
    "plan_text",
    "plan_yaml",
    "price_warnings",
    "read_beside",
    "read_calibration",
    "read_plan",
    "read_price_book",
    "render",
    "render_host_services",
    "replan_text",
    "report",
    "report_difference",
    "risk",
    "risk_text",
    "rollout_text",
    "running_fleet",
    "save",
    "schema_text",
    "solve",
    "sweep",
    "sweep_table",
    "update_prices",
    "verification_text",
    "verify",
    "verify_fleet",
    "watched",
    "written_calibration",
]
