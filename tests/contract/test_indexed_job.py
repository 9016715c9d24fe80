"""The manifests of docs/sharding.md, asked of a real API server."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from runs import ROOT

from pytest_gitops.admission.admission import Admission
from pytest_gitops.admission.values import Request
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.repository.manifest import parse

pytestmark = pytest.mark.engine


def request(name: str, text: str) -> Request:
    objects = [d.value for d in parse(text.encode())]
    return Request(id=name, cluster="main", namespace=name, creates=True, objects=objects)


def test_the_indexed_job_is_taken_and_a_slip_in_it_would_not_be(
    toolbox: dict[str, Path], tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "sharding.md").read_text("utf-8")
    _, manifests = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    slip = manifests.replace("completionMode: Indexed", "completionMode: NonIndexed")
    with Supervisor(tmp_path / "run", run_id=uuid.uuid4().hex) as supervisor:
        servers = {"1.37": toolbox["kube-apiserver"]}
        admission = Admission(supervisor, tmp_path / "run" / "a", etcd=toolbox["etcd"], servers=servers)
        try:
            found = admission.judge([request("good", manifests), request("slip", slip)])
        finally:
            admission.close()
    assert (found["good"].objects, found["good"].hits) == (2, ())
    (hit,) = found["slip"].hits
    assert "backoffLimitPerIndex" in hit.message
