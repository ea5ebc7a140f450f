"""How fast packets go through a tunnel, and at what cost: ours beside other programs, in turns.

Usage: run.py [--rounds 5] [--products NAME,...] [--seconds 3] [--no-offload-link]
              [--csv FILE] [--svg FILE] [--from-csv FILE]

See README.md. Both ends, and the load, share this machine.
"""

import argparse
import csv
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "interop")]

import peers  # noqa: E402
import plot  # noqa: E402
from labkit import Lab, MissingProgram, sweep  # noqa: E402
from labkit.fixtures import namespaces_reason, tun_reason  # noqa: E402
from measures import MEASURES, Round  # noqa: E402
from tunnels import PRODUCTS  # noqa: E402


def available(names: list[str]) -> list:
    """What can be had of these; says what cannot."""
    found = []
    for name in names:
        try:
            found.append(PRODUCTS[name]())
        except (peers.Unavailable, MissingProgram) as missing:
            print(f"skipped {name}: {missing}", flush=True)
    return found


def one_round(product, number: int, folder: Path, options) -> list[dict]:
    with Lab(folder / f"{number}.{product.name}") as lab:
        tunnel = product.start(lab, offload=not options.no_offload_link)
        results = Round(tunnel, options.seconds).run()
    print(f"round {number}, {product.name}: "
          + ", ".join(f"{name} {value:.2f}" for name, value in results.items()), flush=True)
    return [{"product": product.name, "round": number, "measure": name, "value": value}
            for name, value in results.items()]


def bench(products: list, folder: Path, options) -> list[dict]:
    rows: list[dict] = []
    for number in range(1, options.rounds + 1):
        # Whoever goes first in one round goes last in the next.
        for product in products if number % 2 else products[::-1]:
            rows += one_round(product, number, folder, options)
            if options.csv:
                write_csv(options.csv, rows)
    return rows


def write_csv(file: Path, rows: list[dict]) -> None:
    with open(file, "w", newline="") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_csv(file: Path) -> list[dict]:
    with open(file, newline="") as opened:
        return [{**row, "value": float(row["value"])} for row in csv.DictReader(opened)]


def table(rows: list[dict], products: list[str]) -> str:
    """Medians, in Markdown; behind each its ratio to that of ours."""
    lines = ["| median | " + " | ".join(products) + " |", "|---|" + "--:|" * len(products)]
    for measure in MEASURES:
        medians = {}
        for product in products:
            values = [row["value"] for row in rows
                      if row["product"] == product and row["measure"] == measure.name]
            if values:
                medians[product] = statistics.median(values)
        own = medians.get(products[0])
        cells = []
        for product in products:
            if product not in medians:
                cells.append("")
            elif product == products[0] or not own or not medians[product]:
                cells.append(f"{medians[product]:.3g}")
            else:
                cells.append(f"{medians[product]:.3g} ({own / medians[product]:.2f}x)")
        lines.append(f"| {measure.name}, {measure.unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/dataplane/run.py")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--products", default=",".join(PRODUCTS), type=lambda t: t.split(","))
    parser.add_argument("--seconds", type=float, default=3, help="of each load")
    parser.add_argument("--no-offload-link", action="store_true",
                        help="the link between the hosts joins no packets")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--from-csv", type=Path, help="measure nothing: tell what is in the file")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if options.from_csv:
        rows = read_csv(options.from_csv)
    else:
        reason = namespaces_reason() or tun_reason()
        if reason:
            print(reason, file=sys.stderr)
            return 1
        sweep()
        with tempfile.TemporaryDirectory(prefix="trellis-bench-") as folder:
            rows = bench(available(options.products), Path(folder), options)
    measured = {row["product"] for row in rows}
    products = [name for name in options.products if name in measured]
    print(table(rows, products))
    if options.svg:
        plot.write(options.svg, rows, products)
    return 0


if __name__ == "__main__":
    sys.exit(main())
