"""Where the rules of a run and their data come from: of what lies in the repository, base's, where there is a base."""

from __future__ import annotations

from pathlib import Path

from pytest_gitops.ground.side import Side
from pytest_gitops.model import Finding, Severity
from pytest_gitops.rego.files import Folder
from pytest_gitops.settings.settings import Settings


class RuleSources:
    """What `settings` name. A pull request has no say in how it is judged: base's files are written below `directory`.
    `findings` tells what only the pull request has."""

    def __init__(self, settings: Settings, base: Side | None, directory: Path) -> None:
        self._settings, self._base, self._directory = settings, base, directory
        self.findings: list[Finding] = []

    def folders(self) -> list[Folder]:
        """The folders of rules."""
        found = []
        for number, folder in enumerate(self._settings.policy_folders):
            inside = self._inside(folder)
            path = folder
            if self._base is not None and inside is not None:
                if self._base.checkout.has_folder(inside):
                    path = self._directory / "policies" / str(number)
                    self._base.checkout.write_out(inside, path, where=f"policies in {inside}")
                else:
                    self.findings.append(_new(inside))
            found.append(Folder(path=path, title=inside or str(folder)))
        return found

    def data_files(self) -> list[Path]:
        """The files and folders of data for rules."""
        found = []
        for number, path in enumerate(self._settings.policy_data_files):
            inside = self._inside(path)
            if self._base is not None and inside is not None:
                into = self._directory / "policy-data" / str(number)
                if text := self._base.checkout.snapshot.read_many([inside]).get(inside):
                    into.mkdir(mode=0o700, parents=True)
                    path = into / path.name
                    path.write_bytes(text)
                else:
                    self._base.checkout.write_out(inside, into, where=f"data for policies in {inside}")
                    path = into
            found.append(path)
        return found

    def _inside(self, path: Path) -> str | None:
        """A path relative to the directory under test, None if it leads elsewhere."""
        root = self._settings.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _new(folder: str) -> Finding:
    return Finding(
        rule="policy-not-in-base",
        severity=Severity.WARNING,
        message=f"the base has no policies in {folder}/, so those of the pull request judge it",
        file=folder,
        help="nothing to do if the pull request is meant to bring them",
    )
