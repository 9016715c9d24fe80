"""The way of the official release: the published file, refused by name unless its published checksum fits."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

from pytest_gitops.errors import ToolError
from pytest_gitops.tools.context import Activity, Context, NoWay, Passed, verify
from pytest_gitops.tools.fetch import Fetcher
from pytest_gitops.tools.parts import Action, Origin, Part, Tool, this_platform

DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class ReleaseWay:
    """Fetches releases with one Fetcher, so that what one tool learns of a host the next one knows."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def __call__(self, part: Part, context: Context) -> Tool:
        """The released tool, in the cache. Only for the holder of its lock.

        Raises ToolError if a checksum is wrong: that is never a reason to try something else.
        """
        if part.files:
            return self._files(part, context)
        where = this_platform()
        release = part.release(where)
        if release is None:
            if not part.releases:
                raise NoWay("it has no releases")
            raise Passed(f"nothing is published for {where}")
        url = part.fill(release.url, where)
        activity = context.begin(part, Action.DOWNLOAD, url)
        digest = expected(self._fetcher.text(part.fill(release.checksum, where)), url.rsplit("/", 1)[-1])
        partial = context.store.partial(part)
        self._download(part, url, partial, digest, activity)
        staged = context.store.stage(part)
        program = staged / part.binary
        if release.member:
            extract(partial, part.fill(release.member, where), program)
            partial.unlink()
        else:
            shutil.move(partial, program)
        program.chmod(0o755)
        version = verify(part, program, context)
        return context.store.put(part, staged, version=version, origin=Origin.RELEASE)

    def _files(self, part: Part, context: Context) -> Tool:
        assert part.files is not None
        activity = context.begin(part, Action.DOWNLOAD, part.files.base)
        staged = context.store.stage(part)
        for name, digest in part.files.sha256.items():
            self._download(part, part.files.base + name, staged / name, digest, activity)
        return context.store.put(part, staged, version=part.version, origin=Origin.RELEASE)

    def _download(self, part: Part, url: str, target: Path, digest: str, activity: Activity) -> None:
        resumed = self._fetcher.file(url, target, activity)
        saw = sha256(target)
        if saw != digest and resumed:
            # What an older run left may be of another file; the whole one gets its chance before the verdict.
            target.unlink()
            self._fetcher.file(url, target, activity)
            saw = sha256(target)
        if saw != digest:
            target.unlink()
            raise ToolError(
                part.name,
                f"the checksum of {self._fetcher.address(url)} is wrong: "
                f"expected sha256 {digest}, saw {saw}. The file was thrown away. "
                "Somebody changed it on its way: find out who before you try again.",
            )


def expected(text: str, asset: str) -> str:
    """The sha256 of `asset` in what its publisher wrote. Raises Passed if it is not in there.

    >>> expected("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  etcd.zip", "etcd.zip")[:8]
    'e3b0c442'
    """
    if text.lstrip().startswith("{"):
        return _recorded(text, asset)
    words = [line.split() for line in text.splitlines() if line.strip()]
    if len(words) == 1 and len(words[0]) == 1 and DIGEST.fullmatch(words[0][0]):
        return words[0][0].lower()
    for line in words:
        if len(line) == 2 and DIGEST.fullmatch(line[0]) and line[1].lstrip("*").rsplit("/", 1)[-1] == asset:
            return line[0].lower()
    raise Passed(f"its published checksums do not name {asset}")


def _recorded(text: str, asset: str) -> str:
    try:
        assets = json.loads(text)["assets"]
        digests = {a["name"]: a.get("digest") or "" for a in assets}
    except (ValueError, KeyError, TypeError) as error:
        raise Passed("its release's record cannot be read") from error
    kind, _, digest = digests.get(asset, "").partition(":")
    if kind != "sha256" or not DIGEST.fullmatch(digest):
        raise Passed(f"its release's record has no sha256 of {asset}")
    return digest.lower()


def extract(archive: Path, member: str, target: Path) -> None:
    """Write one member of a .tar.gz or .zip to `target`. Raises Passed if it is not in there."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle, bundle.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
            return
        with tarfile.open(archive) as tar:
            stream = tar.extractfile(tar.getmember(member))
            if stream is None:
                raise KeyError(member)
            with stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise Passed(f"the archive has no {member}: {error}") from error


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
