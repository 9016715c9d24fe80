"""What tests of the proxy share."""

from __future__ import annotations

import pytest
from proxy_support import Near, Outside


@pytest.fixture
def outside(tmp_path):
    there = Outside(
        tmp_path / "outside", b"HTTP/1.1 201 Made\r\nX-From: outside\r\nContent-Length: 4\r\n\r\nreal"
    )
    there.listener.start()
    yield there
    there.connections.shut()
    there.listener.stop()


@pytest.fixture
def near(tmp_path, outside):
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{outside.listener.port}"}
    it = Near(tmp_path / "near", environ, outside.roots.read_bytes())
    it.listener.start()
    yield it
    it.connections.shut()
    it.listener.stop()
