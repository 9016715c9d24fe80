"""How many runs of the suite go on at once."""

from __future__ import annotations

import pytest
from workers import QUICK, main, workers


@pytest.mark.parametrize(
    ("processors", "gigabytes", "pace", "expected"),
    [
        (2, 25.3, QUICK / 2, 5),
        (2, 25.3, QUICK * 2, 3),
        (2, 16.0, QUICK / 2, 3),
        (4, 25.3, QUICK / 2, 5),
        (8, 64.0, QUICK / 2, 12),
        (3, 64.0, QUICK * 2, 5),
        (1, 2.0, QUICK * 2, 1),
    ],
)
def test_five_for_two_processors_that_are_quick_and_as_many_as_have_room(
    processors: int, gigabytes: float, pace: float, expected: int
) -> None:
    assert workers(processors=processors, gigabytes=gigabytes, pace=pace) == expected


def test_it_is_printed_for_make(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert int(capsys.readouterr().out) >= 1
