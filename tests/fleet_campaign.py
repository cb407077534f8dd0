"""One random question put to the planner, and everything wrong with its answer.

Every fourth plan is made again after something changed: a node gone, a replica more.
"""

import json
import random
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer import api
from packer.errors import Infeasible, InvalidInput, OutOfTime
from packer.plan.plan import Plan
from tests.plan_soundness import faults_of_plan, faults_of_refusal
from tests.random_fleets import Question, question

_REPLANNED = 4
_EXPLAINED = 10
_EFFORT = 0.05
"""Most questions are small; a plan need not be the best one to be sound."""


@dataclass(frozen=True)
class Answer:
    """What the planner said, in one word, and what is wrong with it."""

    verdict: str
    faults: tuple[str, ...]


def answer(number: int, folder: Path) -> tuple[Answer, ...]:
    """Answers to the question of a number, and to what it changes into.

    Args:
        number: Which question.
        folder: Where its files are written, with the models they name.
    """
    asked = question(number)
    first, plan = _answered(asked, folder, number, None)
    if plan is None or number % _REPLANNED:
        return (first,)
    second, _ = _answered(_changed(asked, plan, number), folder, number, plan)
    return first, second


def _answered(
    asked: Question, folder: Path, number: int, current: Plan | None
) -> tuple[Answer, Plan | None]:
    fleet, inventory = folder / "fleet.yaml", folder / "inventory.yaml"
    fleet.write_text(json.dumps(asked.fleet))
    inventory.write_text(json.dumps(asked.inventory))
    how = "again " if current else ""
    try:
        inputs = api.load(fleet, inventory)
        plan = api.plan(
            inputs,
            workers=1,
            effort=_EFFORT,
            time_limit_seconds=20,
            brief=number % _EXPLAINED != 0,
            current=current,
            move_weight=0.1 if current and number % (2 * _REPLANNED) else None,
        )
    except InvalidInput as error:
        return Answer(f"{how}{error.problems[0].code}", ()), None
    except Infeasible as refusal:
        faults = faults_of_refusal(refusal, inputs)
        return Answer(f"{how}infeasible", tuple(faults)), None
    except OutOfTime:
        return Answer(f"{how}out of time", ()), None
    faults = faults_of_plan(plan, inputs, folder, number)
    return Answer(f"{how}{plan.status}", tuple(faults)), plan


def _changed(asked: Question, plan: Plan, number: int) -> Question:
    """The question after a node failed, or with one replica more."""
    draw = random.Random(number)
    fleet, inventory = deepcopy(asked.fleet), deepcopy(asked.inventory)
    if draw.random() < 0.5:
        node = draw.choice(plan.placements).node
        pool = next(one for one in inventory["nodePools"] if node.startswith(f"{one['name']}-"))
        pool["unavailable"] = sorted({*pool.get("unavailable", ()), node})
    else:
        workload: dict[str, Any] = draw.choice(fleet["workloads"])
        if "demand" not in workload:
            workload["replicas"] += 1
    return Question(fleet, inventory)
