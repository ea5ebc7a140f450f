"""Two ends that know each other's address and start at once, a hundred times: how many agree."""

import os
import random
import time

import pytest

from peers import free_endpoint

RACES = int(os.environ.get("TRELLIS_TEST_RACES", "100"))
AT_ONCE = 10
APART_SECONDS = 0.05  # at most
JUDGED_AFTER_SECONDS = 5  # after both have a key
PATIENCE_SECONDS = 30
# How many of a hundred agree at least. Two Rust ends: 4. Two of Go: 2. Rust with Go: 98.
AGREE = {"ours": 1, "rust": 0.97, "go": 0.97}


def start_race(pairs, number: int, ends: list, keys: list) -> list:
    """Both ends of a pair, in any order."""
    addresses = [free_endpoint(), free_endpoint()]
    order = random.sample((0, 1), 2)
    running = {}
    for place, end in enumerate(order):
        if place == 1:
            time.sleep(random.uniform(0, APART_SECONDS))
        running[end] = pairs.start(ends[end], f"{number}-{end}", keys[end], keys[1 - end].public,
                                   addresses[end], endpoint=addresses[1 - end])
    return [running[0], running[1]]


def have_keys(race: list) -> bool:
    return all(end.exchanges() > 0 for end in race)


@pytest.mark.long
@pytest.mark.parametrize("name", AGREE)
def test_ends_that_start_at_once_agree(pairs, program, foreign, name):
    ends = [program, program if name == "ours" else foreign(name)]
    keys = [[pairs.own_keys(party, end) for party, end in zip(parties, ends)]
            for parties in (("go", "rust"), ("rust", "go"))]  # either end is the larger
    agreed = without_key = 0
    for first in range(0, RACES, AT_ONCE):
        races = [start_race(pairs, number, ends, keys[number % 2])
                 for number in range(first, min(first + AT_ONCE, RACES))]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not all(map(have_keys, races)):
            time.sleep(0.1)
        time.sleep(JUDGED_AFTER_SECONDS)
        for race in races:
            if not have_keys(race):
                without_key += 1
            elif race[0].osk() == race[1].osk():
                agreed += 1
            for end in race:
                end.stop()
    print(f"ours with {name}, started at once: {agreed} of {RACES} agree, {without_key} "
          "without a key at an end")
    assert agreed >= AGREE[name] * RACES
