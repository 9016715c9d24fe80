"""What git finds as `ssh` on its PATH inside the world. A program of its own, standard library only.

usage: sshclient.py WORLD.json [ssh's own arguments]
       sshclient.py WORLD.json --connect HOST PORT      (for the real ssh, as its ProxyCommand)

A repository of the world is read by running git-upload-pack right here: there is no network to cross. For any
other host the real ssh client is run, with its connection led through the world's SOCKS listener, which
guards it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import shlex
import shutil
import socket
import sys
import threading
from typing import Any, NoReturn

WITH_VALUE = "BbcDEeFIiJLlmOopPQRSWw"
"""ssh's options that take a value (ssh(1))."""


def split(arguments: list[str]) -> tuple[str, str]:
    """The host, and the remote command, that ssh's arguments name."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "--":
        # -46p 22: flags may share a dash, the last of them may have its value in the next word.
        letters = arguments[at][1:]
        first = next((i for i, c in enumerate(letters) if c in WITH_VALUE), None)
        at += 2 if first == len(letters) - 1 else 1
    rest = arguments[at:]
    if rest and rest[0] == "--":
        rest = rest[1:]
    host = rest[0] if rest else ""
    if host.startswith("ssh://"):
        host = host.removeprefix("ssh://").partition("/")[0].rpartition(":")[0] or host.removeprefix("ssh://")
    return host.rpartition("@")[2].strip("[]"), " ".join(rest[1:])


def repository(command: str) -> str:
    """The path that a `git-upload-pack 'PATH'` is for, else empty."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    if words[:1] == ["git-upload-pack"] and len(words) == 2:
        return words[1]
    return words[2] if words[:2] == ["git", "upload-pack"] and len(words) == 3 else ""


def urls() -> Any:
    """The module of the package that knows how URLs are spelled, loaded by its file: the package is not on
    our path."""
    spec = importlib.util.spec_from_file_location("urls", pathlib.Path(__file__).with_name("urls.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["urls"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def main(world_file: str, *arguments: str) -> int:
    world = json.loads(pathlib.Path(world_file).read_text())
    if arguments[:1] == ("--connect",):
        return connect(world, arguments[1], int(arguments[2]))
    host, command = split(list(arguments))
    path = repository(command)
    bare = world["repositories"].get(urls().locate(host, path)) if host and path else None
    if not bare and path and urls().locate(host, "") in world["mirrored"]:
        bare = mirror(world, host, path)
    if bare:
        upload_pack(bare)
    if not world["ssh"]:
        sys.stderr.write(f"{host}: the program ssh is not installed, and this host is not stood in for\n")
        return 255
    guard = shlex.join([sys.executable, "-I", "-S", __file__, world_file, "--connect"]) + " %h %p"
    # First one wins in ssh's options, and nobody's configuration file is to lead around the guard.
    return os.execv(world["ssh"], [world["ssh"], "-F", "none", "-o", f"ProxyCommand={guard}", *arguments])


def mirror(world: dict[str, Any], host: str, path: str) -> str:
    """Where the world has put a repository of another host; empty if it has none. Ends this program if it cannot."""
    import base64
    import http.client
    import urllib.parse

    connection = http.client.HTTPConnection("127.0.0.1", world["proxy"])
    pair = base64.b64encode(f"{world['user']}:{world['token']}".encode()).decode()
    url = f"http://{world['mirrors']}/{urllib.parse.quote(f'{host}/{path}')}"
    connection.request("GET", url, headers={"Proxy-Authorization": f"Basic {pair}"})
    answer = connection.getresponse()
    body = os.fsdecode(answer.read())
    if answer.status == 200:
        return body
    if answer.status != 404:
        sys.stderr.write(body)
        sys.exit(255)
    return ""


def upload_pack(bare: str) -> NoReturn:
    """Become git's own server for the repository, under nobody's configuration."""
    git = shutil.which("git") or "git"
    kept = ("GIT_PROTOCOL", "GIT_EXEC_PATH")
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in kept}
    os.execve(
        git, [git, "upload-pack", bare], {**env, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    )


def connect(world: dict[str, Any], host: str, port: int) -> int:
    """Carry standard input and output to `host` through the SOCKS listener."""
    user, token = world["user"].encode(), world["token"].encode()
    name = host.encode("ascii")
    with socket.create_connection(("127.0.0.1", world["socks"])) as sock, sock.makefile("rb") as answers:
        sock.sendall(b"\x05\x01\x02")
        answers.read(2)
        sock.sendall(bytes([1, len(user)]) + user + bytes([len(token)]) + token)
        answers.read(2)
        sock.sendall(bytes([5, 1, 0, 3, len(name)]) + name + port.to_bytes(2, "big"))
        said = answers.read(10)
        if len(said) < 10 or said[1]:
            why = "is not allowed by pytest-gitops" if said[1:2] == b"\x02" else "is out of reach"
            sys.stderr.write(f"{host} (port {port}) {why}\n")
            return 1

        def send() -> None:
            while data := os.read(0, 65536):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        while data := answers.read1(65536):
            os.write(1, data)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
