"""The ssh side: a SOCKS5 listener for ssh clients, and an ssh server that answers as the git hosts.

The server is handed connections that the listener has already let in by password, and only lets
git-upload-pack run. The only importer of asyncssh, and only when the first connection comes: runs over https
do not pay for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hmac
import ipaddress
import os
import shlex
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import IO, TYPE_CHECKING, Any

from pytest_gitops.processes.process import piped
from pytest_gitops.serving.listener import Connections
from pytest_gitops.serving.wire import CHUNK, pump
from pytest_gitops.world.egress import Unreached
from pytest_gitops.world.gitservice import environment
from pytest_gitops.world.routes import Routes

if TYPE_CHECKING:
    import asyncssh

HANDSHAKE_LIMIT = 30.0
"""Seconds for a client to say where it wants to go."""

# RFC 1928 and 1929.
VERSION, BY_PASSWORD, CONNECT, IPV4, NAME, IPV6 = 5, 2, 1, 1, 3, 4
SUCCEEDED, NOT_ALLOWED, HOST_UNREACHABLE, UNKNOWN_COMMAND = 0, 2, 4, 7

COMMANDS = {"git-upload-pack": 1, "git upload-pack": 2}


class Socks:
    """Handles one SOCKS connection: to the ssh server for hosts whose repositories we have, else past the
    guard."""

    def __init__(
        self, routes: Routes, server: Server, connections: Connections, *, user: str, token: str
    ) -> None:
        self._routes, self._server, self._connections = routes, server, connections
        self._expected = user.encode() + b"\0" + token.encode()

    def __call__(self, sock: socket.socket) -> None:
        """Serve a connection until its end. The caller closes it."""
        sock.settimeout(HANDSHAKE_LIMIT)
        with contextlib.suppress(OSError, EOFError):
            if target := self._greet(sock):
                self._connect(sock, *target)

    def _greet(self, sock: socket.socket) -> tuple[str, int] | None:
        version, count = _exactly(sock, 2)
        if version != VERSION or BY_PASSWORD not in _exactly(sock, count):
            sock.sendall(bytes([VERSION, 0xFF]))
            return None
        sock.sendall(bytes([VERSION, BY_PASSWORD]))
        user = _exactly(sock, _exactly(sock, 2)[1])
        password = _exactly(sock, _exactly(sock, 1)[0])
        if not hmac.compare_digest(user + b"\0" + password, self._expected):
            sock.sendall(b"\x01\x01")
            return None
        sock.sendall(b"\x01\x00")
        _, command, _, kind = _exactly(sock, 4)
        if kind == NAME:
            host = _exactly(sock, _exactly(sock, 1)[0]).decode("ascii", errors="replace")
        elif kind in {IPV4, IPV6}:
            host = str(ipaddress.ip_address(_exactly(sock, 4 if kind == IPV4 else 16)))
        else:
            return None
        port = int.from_bytes(_exactly(sock, 2), "big")
        if command != CONNECT:
            _say(sock, UNKNOWN_COMMAND)
            return None
        return host.lower().rstrip("."), port

    def _connect(self, sock: socket.socket, host: str, port: int) -> None:
        if self._routes.answers_ssh(host):
            _say(sock, SUCCEEDED)
            sock.settimeout(None)
            self._server.serve(sock, host, port)
            return
        try:
            far = self._routes.egress.dial(host, port)
        except Unreached as error:
            _say(sock, NOT_ALLOWED if error.refusal.reason == "refused" else HOST_UNREACHABLE)
            return
        with far, self._connections.using(far):
            _say(sock, SUCCEEDED)
            sock.settimeout(None)
            far.settimeout(None)
            pump(sock, far)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _say(sock: socket.socket, word: int) -> None:
    sock.sendall(bytes([VERSION, word, 0, IPV4, 0, 0, 0, 0, 0, 0]))


async def _feed(source: asyncssh.SSHReader[bytes], sink: IO[bytes]) -> None:
    """Carry what a client says to a pipe, and its end: the pipe is closed when the client has no more to
    say."""
    import asyncssh

    loop, descriptor = asyncio.get_running_loop(), sink.fileno()
    os.set_blocking(descriptor, False)
    try:
        while data := await source.read(CHUNK):
            while data:
                try:
                    data = data[os.write(descriptor, data) :]
                except BlockingIOError:
                    room = loop.create_future()
                    loop.add_writer(descriptor, room.set_result, None)
                    try:
                        await room
                    finally:
                        loop.remove_writer(descriptor)
    except (OSError, asyncssh.Error, asyncssh.BreakReceived, asyncssh.SignalReceived):
        pass  # the client has left
    finally:
        with contextlib.suppress(OSError):
            sink.close()


class Server:
    """Speaks ssh over connections that are handed to it. One event loop on one thread, made when first
    needed."""

    def __init__(self, routes: Routes, *, host_key: str) -> None:
        self._routes, self._host_key = routes, host_key
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def serve(self, sock: socket.socket, host: str, port: int) -> None:
        """Be the ssh server `host` on `sock` until the client leaves."""
        # asyncio closes the socket it is given; the caller's stays the caller's.
        mine = sock.dup()
        try:
            self._call(lambda: self._serve(mine, host, port))
        except BaseException:
            mine.close()
            raise

    def _call(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with self._lock:
            if self._stopped:
                raise OSError("the world has ended")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="world-ssh")
                self._thread.start()
            loop = self._loop
        with contextlib.suppress(concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(make(), loop).result()

    async def _serve(self, sock: socket.socket, host: str, port: int) -> None:
        import asyncssh

        class Anybody(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return False  # the SOCKS listener has asked for the password already

        async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
            status = await self._run(process, host, port)
            with contextlib.suppress(OSError, asyncssh.Error):
                process.exit(status)

        sock.setblocking(False)
        try:
            connection = await asyncssh.run_server(
                sock,
                server_factory=Anybody,
                server_host_keys=[asyncssh.import_private_key(self._host_key)],
                process_factory=handle,
                encoding=None,
                allow_pty=False,
                line_editor=False,
                agent_forwarding=False,
                x11_forwarding=False,
                gss_host=None,
                login_timeout=HANDSHAKE_LIMIT,
            )
        except (OSError, asyncssh.Error):
            return  # a client that left, or does not speak ssh
        async with connection:
            await connection.wait_closed()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes], host: str, port: int) -> int:
        import asyncssh

        asked = process.command or ""
        try:
            words = shlex.split(asked)
        except ValueError:
            words = []
        path = next(
            (words[n] for c, n in COMMANDS.items() if asked.startswith(f"{c} ") and len(words) == n + 1), ""
        )
        bare = None
        text = f"only git-upload-pack is answered here, not {asked.split(' ')[0] or 'a shell'!r}"
        if path:
            try:
                bare = self._routes.repository_for(host, path) or await asyncio.to_thread(
                    self._routes.mirror_for, host, port, path
                )
                if bare is None:
                    name = path.strip("/").removesuffix(".git")
                    raise self._routes.egress.refuse(host, port, name)
            except Unreached as error:
                text = str(error)
        if bare is None:
            process.stderr.write(f"{text}\n".encode())
            return 128
        protocol = str(process.env.get("GIT_PROTOCOL") or "")
        env = environment(self._routes.environ, protocol)
        with piped("git", "upload-pack", bare, env=env) as child:
            assert child.stdin and child.stdout
            answers = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(answers), child.stdout
            )
            asking = asyncio.create_task(_feed(process.stdin, child.stdin))
            try:
                while piece := await answers.read(CHUNK):
                    process.stdout.write(piece)
                    await process.stdout.drain()
                return await asyncio.to_thread(child.wait)
            except (OSError, asyncssh.Error):
                return 128  # the client has left
            finally:
                asking.cancel()
                # Its last act is about a file descriptor that will soon be somebody else's.
                await asyncio.gather(asking, return_exceptions=True)
                transport.close()

    def stop(self) -> None:
        """End every connection and the thread."""
        with self._lock:
            self._stopped = True
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None:
            return

        async def cancel() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await loop.shutdown_default_executor()

        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(cancel(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        if not thread.is_alive():
            loop.close()
