"""A picture of the medians: a bar for each product and measure, the rounds as dots."""

import statistics
from html import escape
from pathlib import Path

from measures import MEASURES

COLOURS = ("#1b6ca8", "#7fb2d6", "#c8553d", "#e39b87", "#5b8c5a", "#b7a23b", "#888888")
PANEL_WIDTH, BAR, GAP, COLUMNS = 460, 16, 5, 2
LABELS, TOP = 130, 34


def panel(measure, values: dict[str, list[float]], products: list[str], x: int, y: int
          ) -> tuple[list[str], int]:
    shown = [(product, values[product]) for product in products if values.get(product)]
    scale = (PANEL_WIDTH - LABELS - 70) / max(max(v) for _, v in shown)
    title = f"{measure.name}, {measure.unit} ({measure.better} is better)"
    out = [f'<text x="{x}" y="{y + 16}" font-weight="bold">{escape(title)}</text>']
    for i, (product, numbers) in enumerate(shown):
        top = y + TOP + i * (BAR + GAP)
        median = statistics.median(numbers)
        colour = COLOURS[products.index(product) % len(COLOURS)]
        out.append(f'<text x="{x}" y="{top + 12}">{escape(product)}</text>')
        out.append(f'<rect x="{x + LABELS}" y="{top}" width="{median * scale:.1f}" '
                   f'height="{BAR}" fill="{colour}"/>')
        out += [f'<circle cx="{x + LABELS + n * scale:.1f}" cy="{top + BAR / 2}" r="2" '
                'fill="#222"/>' for n in numbers]
        end = x + LABELS + max(numbers) * scale + 6
        out.append(f'<text x="{end:.1f}" y="{top + 12}">{median:.3g}</text>')
    return out, TOP + len(shown) * (BAR + GAP) + 16


def write(file: Path, rows: list[dict], products: list[str]) -> None:
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(row["measure"], {}).setdefault(row["product"], []).append(row["value"])
    body: list[str] = []
    heights = [10] * COLUMNS
    for number, measure in enumerate(m for m in MEASURES if m.name in values):
        column = number % COLUMNS
        drawn, height = panel(measure, values[measure.name], products,
                              10 + column * (PANEL_WIDTH + 20), heights[column])
        body += drawn
        heights[column] += height
    width, height = COLUMNS * (PANEL_WIDTH + 20), max(heights)
    file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                    'font-family="sans-serif" font-size="12">\n'
                    f'<rect width="{width}" height="{height}" fill="white"/>\n'
                    + "\n".join(body) + "\n</svg>\n")
