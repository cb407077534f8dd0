"""Time to pack against the number of replicas, for fixed item kinds: about n log n.

Twelve models on two card types, with more and more replicas of each and cards in step; the time
until a complete plan within 3 % of its bound is taken, in processor seconds. Writes
docs/images/solver-growth.svg, both axes logarithmic.
"""

import math
import random
import sys
import time
from pathlib import Path

from packer.solver.instance import Alternative, Instance, Item, NodeType, Objective
from packer.solver.solve import solve
from packer.solver.stopping import Limits

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "solver-growth.svg"
REPLICAS = (300, 1_000, 3_000, 10_000, 30_000, 60_000)
GAP = 0.03
MOST_GROWTH = 1.35
"""Exponent of a power law through first and last point; n log n between these is about 1.12."""
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 400, 70, 50


def fleet(replicas: int) -> Instance:
    """Twelve kinds of models, about ``replicas`` of them together."""
    draw = random.Random(7)
    items = tuple(
        Item(
            f"m{kind}",
            max(1, replicas // 12),
            (Alternative("a", ((round(2 ** draw.uniform(11, 16)), draw.randint(10, 400)),)),),
        )
        for kind in range(12)
    )
    nodes = max(2, replicas // 12)
    types = (
        NodeType("large", "L", nodes, 8, (143_000, 4_800), ()),
        NodeType("small", "S", nodes, 8, (81_200, 3_350), ()),
    )
    return Instance("growth", ("vram_mib", "bw_gbps"), (), Objective.GPUS, types, items)


def processor_seconds(replicas: int) -> float:
    """Processor time of a plan within the gap.

    Raises:
        RuntimeError: There was none.
    """
    instance = fleet(replicas)
    started = time.process_time()
    solution = solve(instance, Limits(time_seconds=600, gap=GAP))
    seconds = time.process_time() - started
    if solution.gap is None or solution.gap > GAP:
        raise RuntimeError(f"{replicas} replicas: no plan within {GAP:.0%}")
    return seconds


def picture(points: list[tuple[int, float]]) -> str:
    """The points, and the curve of n log n through the largest of them."""
    low, high = math.log10(points[0][0]), math.log10(points[-1][0])
    first = math.floor(math.log10(min(seconds for _, seconds in points)))
    last = math.ceil(math.log10(max(seconds for _, seconds in points)))

    def place(replicas: float, seconds: float) -> str:
        x = LEFT + (math.log10(replicas) - low) / (high - low) * (WIDTH - LEFT - 30)
        y = (
            HEIGHT
            - BOTTOM
            - (math.log10(seconds) - first) / (last - first) * (HEIGHT - BOTTOM - 30)
        )
        return f"{x:.1f},{y:.1f}"

    def tick(at: str, dx: int, dy: int, text: str, anchor: str) -> str:
        x, y = (float(one) for one in at.split(","))
        return f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{text}</text>'

    n, t = points[-1]
    scale = t / (n * math.log(n))
    curve = [
        (m, scale * m * math.log(m))
        for m in (points[0][0] * (n / points[0][0]) ** (k / 40) for k in range(41))
    ]
    inside = [(m, s) for m, s in curve if s >= 10**first]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<polyline fill="none" stroke="#c77" stroke-dasharray="6 4" points="'
        f'{" ".join(place(*one) for one in inside)}"/>',
        f'<polyline fill="none" stroke="#247" stroke-width="2" points="'
        f'{" ".join(place(*one) for one in points)}"/>',
    ]
    for replicas, seconds in points:
        x, y = place(replicas, seconds).split(",")
        lines.append(f'<circle cx="{x}" cy="{y}" r="4" fill="#247"/>')
        lines.append(tick(place(replicas, 10**first), 0, 22, f"{replicas:,}", "middle"))
    for power in range(first, last + 1):
        lines.append(tick(place(points[0][0], 10**power), -12, 4, f"{10.0**power:g} s", "end"))
    lines += [
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">replicas (12 models)</text>',
        f'<text x="{LEFT + 12}" y="22">processor seconds to a plan within 3 % of its bound; '
        "dashed: n log n</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, draw, and judge; 1 where it grows faster than about n log n."""
    points = []
    for replicas in REPLICAS:
        points.append((replicas, max(1e-3, processor_seconds(replicas))))
        print(f"{replicas:7} replicas {points[-1][1]:8.2f} s", flush=True)
    (first, start), (last, end) = points[1], points[-1]
    exponent = math.log(end / start) / math.log(last / first)
    print(f"time grows like n^{exponent:.2f}")
    PICTURE.write_text(picture(points))
    return 1 if exponent > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
