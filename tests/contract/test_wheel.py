"""What users install is the wheel: it must carry everything, into an environment that has nothing."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_gitops.processes.process import Completed, run

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://git.example.com/web.git, path: web, targetRevision: main}
  destination: {server: https://kubernetes.default.svc, namespace: default}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT, limit=120)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, limit=120)
    # This interpreter's pip installs there; what is compiled is what gets imported.
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-compile", wheel, limit=600)
    return folder


def inside(environment: Path, home: Path, *argv: str | Path, cwd: Path) -> Completed:
    kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    env = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    return run(environment / "bin" / argv[0], *argv[1:], cwd=cwd, env=env, check=False, limit=120)


def test_the_wheel_carries_policies_and_the_lock(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    policies = {p.relative_to(ROOT) for p in (ROOT / "policies").rglob("*.rego")}
    assert policies
    assert {f"pytest_gitops/{p.as_posix()}" for p in policies} <= names
    assert "pytest_gitops/tools/tools.lock.yaml" in names
    assert "pytest_gitops/configuration/config.schema.json" in names
    assert "pytest_gitops/report/report.schema.json" in names
    for module in (ROOT / "harness/pytest_gitops/tools/modules").iterdir():
        files = {f.name for f in module.iterdir()}
        assert files > {"go.mod", "go.sum"}
        assert {f"pytest_gitops/tools/modules/{module.name}/{f}" for f in files} <= names


def test_an_empty_environment_lists_its_tools_from_an_empty_home(environment: Path, tmp_path: Path) -> None:
    listed = inside(environment, tmp_path, "pytest-gitops", "tools", "list", cwd=tmp_path)
    assert listed.status == 0, listed.stderr
    assert "kube-apiserver" in listed.stdout


def test_an_empty_environment_has_the_plugin(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(APPLICATION)
    run("git", "init", "--quiet", cwd=tmp_path)
    listed = inside(environment, tmp_path, "pytest", "--gitops", "--collect-only", "-q", cwd=tmp_path)
    assert listed.status == 0, listed.stdout + listed.stderr
    assert "app.yaml::argocd/web::converge" in listed.stdout


def test_the_built_in_policies_are_found_in_it(environment: Path, tmp_path: Path) -> None:
    code = "from pytest_gitops.rego.bundle import builtin; print(len(list(builtin().rglob('*.rego'))))"
    found = inside(environment, tmp_path, "python", "-I", "-c", code, cwd=tmp_path)
    assert found.status == 0, found.stderr
    assert int(found.stdout) == len(list((ROOT / "policies").rglob("*.rego")))
