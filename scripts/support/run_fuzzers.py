#!/usr/bin/env python3
"""What scripts/fuzz runs: libFuzzer on each target, then the line coverage of what it found."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZ = ROOT / "build" / "fuzz"
COVERAGE = ROOT / "build" / "coverage"
WANTED_SHARE = 85.0
INPUT_BYTES_MAX = 1 << 16


def build(preset: str, targets: list[str]) -> None:
    """Builds the programs fuzz_TARGET of a preset; ends the script if that fails."""
    options = ["--target", *(f"fuzz_{target}" for target in targets)] if targets else []
    commands = [["cmake", "--preset", preset]]
    if targets:
        commands.append(["cmake", "--build", "--preset", preset, *options])
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            sys.exit(done.stdout[-5000:] + f"\nfuzz: {' '.join(command)} failed")


def known_targets() -> dict[str, list[str]]:
    """Each target's name, and the sources that it covers, from src/."""
    lines = (FUZZ / "fuzz_targets.txt").read_text().splitlines()
    return {name: covers for name, *covers in (line.split() for line in lines)}


def fuzz(target: str, seconds: int) -> str | None:
    """Runs one target; returns what it found, or None."""
    grown = FUZZ / "grown" / target
    findings = FUZZ / "findings"
    grown.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    log = FUZZ / f"fuzz_{target}.log"
    with log.open("w") as out:
        status = subprocess.run(
            [FUZZ / "bin" / f"fuzz_{target}", f"-max_total_time={seconds}", "-timeout=10",
             "-rss_limit_mb=2048", f"-max_len={INPUT_BYTES_MAX}", "-print_final_stats=1",
             f"-artifact_prefix={findings}/{target}-", grown, ROOT / "fuzz" / "corpus" / target],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False).returncode
    text = log.read_text(errors="replace")
    runs = next((line.split()[-1] for line in text.splitlines() if "number_of_executed_units" in line),
                "?")
    print(f"{target}: {runs} inputs tried in {seconds} s, "
          f"{len(list(grown.iterdir()))} new ones kept", flush=True)
    return None if status == 0 else f"{target}: exit status {status}\n{text[-3000:]}"


def line_share(target: str, covers: list[str]) -> float:
    """Replays seeds and grown inputs in a build that counts lines; returns the percentage of the
    covered sources' lines that were reached."""
    raw, merged = COVERAGE / f"{target}.profraw", COVERAGE / f"{target}.profdata"
    program = COVERAGE / "bin" / f"fuzz_{target}"
    subprocess.run([program, ROOT / "fuzz" / "corpus" / target, FUZZ / "grown" / target], check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, "LLVM_PROFILE_FILE": str(raw)})
    subprocess.run(["llvm-profdata-19", "merge", "-sparse", raw, "-o", merged], check=True)
    export = subprocess.run(
        ["llvm-cov-19", "export", "-summary-only", program, f"-instr-profile={merged}",
         *(ROOT / "src" / file for file in covers)], check=True, capture_output=True).stdout
    files = json.loads(export)["data"][0]["files"]
    total = 0
    reached = 0
    for file in files:
        lines = file["summary"]["lines"]
        total += lines["count"]
        reached += lines["covered"]
        name = pathlib.Path(file["filename"]).relative_to(ROOT / "src")
        print(f"{target}: {lines['percent']:5.1f} % of {lines['count']} lines of {name}")
    absent = len(covers) - len(files)
    if absent:
        print(f"{target}: {absent} of {' '.join(covers)} not in the program at all")
        return 0.0
    return 100.0 * reached / total if total else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()

    build("fuzz", [])
    known = known_targets()
    targets = arguments.targets or list(known)
    unknown = [target for target in targets if target not in known]
    if unknown or not targets:
        sys.exit(f"fuzz: no such target: {' '.join(unknown) or '(there is none at all)'}; "
                 f"known: {' '.join(known)}")
    build("fuzz", targets)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = [f for f in pool.map(lambda t: fuzz(t, arguments.seconds), targets) if f]
    for finding in found:
        print(finding, file=sys.stderr)

    build("coverage", targets)
    poor = [target for target in targets if line_share(target, known[target]) < WANTED_SHARE]
    for target in poor:
        print(f"{target}: reaches less than {WANTED_SHARE:.0f} % of its parser's lines",
              file=sys.stderr)
    print(f"fuzz: {len(targets)} targets, {len(found)} with findings, {len(poor)} with poor coverage")
    return 1 if found or poor else 0


if __name__ == "__main__":
    sys.exit(main())
