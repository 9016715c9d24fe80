"""The collection hooks that pytest's own process and xdist workers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gitops.plugin.catalog import Catalog
from pytest_gitops.plugin.items import Answers, GitOpsFile


class Collecting:
    """Turns files of the catalog into collectors. `catalog` is None until it is known, and then nothing is ours."""

    catalog: Catalog | None = None
    answers: Answers

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if self.catalog is None:
            return None
        relative = self.catalog.relative(file_path)
        if relative is None or relative not in self._files():
            return None
        return GitOpsFile.of(parent, file_path, self.catalog, self.answers)

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Folders that pytest passes over (norecursedirs: build, dist, …) are searched if Applications lie in them."""
        if self.catalog is None or not collection_path.is_dir():
            return None
        relative = self.catalog.relative(collection_path)
        if relative is not None and relative != "." and relative in self._folders():
            return False
        return None

    def _files(self) -> frozenset[str]:
        if "_file_set" not in self.__dict__:
            assert self.catalog is not None
            self.__dict__["_file_set"] = frozenset(self.catalog.files)
        return self.__dict__["_file_set"]  # type: ignore[no-any-return]

    def _folders(self) -> frozenset[str]:
        if "_folder_set" not in self.__dict__:
            self.__dict__["_folder_set"] = frozenset(
                p.as_posix() for f in self._files() for p in Path(f).parents if p.as_posix() != "."
            )
        return self.__dict__["_folder_set"]  # type: ignore[no-any-return]
