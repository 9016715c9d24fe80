"""Answers for git hosts: smart HTTP from bare repositories, to read only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, unquote

from pytest_gitops.processes.process import piped
from pytest_gitops.serving.wire import CHUNK, Exchange

BODY_BYTES = 64 << 20
"""Largest request of a git client that is read: a list of objects it has and wants."""

SERVICE = "git-upload-pack"
NO_CACHE = ("cache-control", "no-cache")
ENDPOINT = re.compile(
    r"^(?P<repository>/.*?)/(?P<what>info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.*|info/lfs.*)$"
)
PROTOCOL = re.compile(r"[0-9A-Za-z:=._-]{1,200}")


def repository_path(path: str) -> str:
    """The repository that a request's path is for, percent encoding undone; the whole path if it is for
    none. Of a base, `/owner/repository//folder`, kustomize asks first whether it is a file."""
    match = ENDPOINT.match(path)
    return unquote(match["repository"] if match else re.split(r"(?<=.)//", path, maxsplit=1)[0])


def environment(environ: Mapping[str, str], protocol: str = "") -> dict[str, str]:
    """The environment of an upload-pack of ours: nobody's configuration, and the protocol the client asked
    for."""
    env = {k: v for k, v in environ.items() if not k.startswith("GIT_") or k == "GIT_EXEC_PATH"}
    env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    if PROTOCOL.fullmatch(protocol):
        env["GIT_PROTOCOL"] = protocol
    return env


def answer(exchange: Exchange, path: str, query: str, bare: Path, environ: Mapping[str, str]) -> None:
    """Answer a request for `path` (as sent, below the host) from the bare repository `bare`."""
    match = ENDPOINT.match(path)
    what = match["what"] if match else ""
    service = parse_qs(query).get("service", [""])[0]
    env = environment(environ, exchange.header("Git-Protocol"))
    if what == "git-receive-pack" or (what == "info/refs" and service == "git-receive-pack"):
        exchange.reply(403, b"This repository is a snapshot under test: nothing can be pushed to it.\n")
    elif what == "info/refs" and service == SERVICE and exchange.method == "GET":
        _advertise(exchange, bare, env)
    elif what == SERVICE and exchange.method == "POST":
        with (
            exchange.spool(limit=BODY_BYTES) as body,
            piped("git", "upload-pack", "--stateless-rpc", bare, env=env, stdin=body) as child,
        ):
            exchange.stream(
                200,
                _output(child.stdout),
                headers=(("content-type", f"application/x-{SERVICE}-result"), NO_CACHE),
            )
    else:
        exchange.reply(404, b"Not found: only git's smart HTTP protocol is answered here.\n")


def _advertise(exchange: Exchange, bare: Path, env: Mapping[str, str]) -> None:
    with piped("git", "upload-pack", "--stateless-rpc", "--advertise-refs", bare, env=env) as child:
        # Version 2 has no such line; every other one begins with it (gitprotocol-http(5)).
        first = b"" if "version=2" in env.get("GIT_PROTOCOL", "") else b"001e# service=git-upload-pack\n0000"
        body = first + b"".join(_output(child.stdout))
    exchange.reply(200, body, headers=(("content-type", f"application/x-{SERVICE}-advertisement"), NO_CACHE))


def _output(pipe: IO[bytes] | None) -> Iterator[bytes]:
    while pipe and (piece := pipe.read(CHUNK)):
        yield piece
