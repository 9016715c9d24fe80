"""How many runs go on at once in `make test`: prints the number.

A run computes for two fifths of its time and waits for the rest: for a deadline, for Argo CD to try again. So a processor has
room for two and a half; where it computes slowly, for three in two, or what waits for ten seconds at most waits for longer.
"""

from __future__ import annotations

import math
import os
import timeit

EACH_GB = 5
"""What one needs at most: five have 19 GB at their peak."""

QUICK = 0.0075
"""Seconds for the loop of `pace` on a machine that is not slow: 0.0035 where Argo CD is ready in 2.6 s, 0.0065 where the
suite computes a quarter more, and 2.3 times the first where it is ready in 9."""


def workers(*, processors: int, gigabytes: float, pace: float) -> int:
    """At least one."""
    room = processors * (2.5 if pace <= QUICK else 1.5)
    return max(1, min(math.ceil(room), int(gigabytes // EACH_GB)))


def pace() -> float:
    """Seconds that one processor takes for 200,000 additions, the best of five."""
    return min(timeit.repeat("for i in range(200_000): x += i", "x = 0", number=1, repeat=5))


def main() -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(workers(processors=os.cpu_count() or 1, gigabytes=memory, pace=pace()))


if __name__ == "__main__":
    main()
