"""What an API server says of a request, as it is read."""

from __future__ import annotations

import pytest

from pytest_gitops.clusters.apierror import ApiError, warnings_of


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], ()),
        (['299 - "v1 Endpoints is deprecated"'], ("v1 Endpoints is deprecated",)),
        (['299 - "one"', '299 - "two"', '299 - "one"'], ("one", "two")),
        (['299 - "one, two", 299 - "three"'], ("one, two", "three")),
        ([r'299 - "hides \"A\" and C:\\x"'], (r'hides "A" and C:\x',)),
        (['299 kube-apiserver "named"'], ("named",)),
        (["no warning at all", '299 - "unfinished'], ()),
    ],
)
def test_warnings_are_read_from_their_headers(headers: list[str], texts: tuple[str, ...]) -> None:
    assert warnings_of(headers) == texts


@pytest.mark.parametrize(
    ("status", "refused"), [(0, False), (400, True), (422, True), (500, False), (503, False)]
)
def test_only_the_servers_own_no_is_the_repositorys_fault(status: int, refused: bool) -> None:
    """A server that is out of reach or in trouble has said nothing about what it was given."""
    assert ApiError("no", status=status, reason="x").refused is refused
