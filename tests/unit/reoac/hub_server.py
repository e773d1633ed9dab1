"""A server on the loopback that speaks the file API of the Hugging Face hub."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    range: str | None
    authorized: bool


class Hub:
    """Files of one repository, and ways to go wrong.

    Attributes:
        files: path -> bytes of the one commit.
        requests: everything that was asked, in order.
        cut: GETs that are cut off after ``cut_at`` bytes.
        dead: answer no GET any more once none is to be cut.
        spoil: change the bytes, but not the checksum.
        small: tell git's checksum, as the hub does of small files.
        commit: what the server says that the commit is.
        apart: files are served by another host, as large ones are.
    """

    def __init__(self, repo: str, files: dict[str, bytes]) -> None:
        self.repo, self.files = repo, files
        self.requests: list[Request] = []
        self.cut, self.cut_at = 0, 1000
        self.dead = self.spoil = self.small = self.apart = False
        self.commit = REVISION
        self.url = ""

    def etag(self, content: bytes) -> str:
        """The checksum that the hub tells."""
        if self.small:
            return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return hashlib.sha256(content).hexdigest()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer on a free port."""
        hub = self

        class Handler(_Handler):
            served = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: Hub

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        """Tell of a file."""
        content = self._found("HEAD")
        if content is None:
            return
        away = self.served.apart and self.path.startswith("/datasets/")
        self.send_response(302 if away else 200)
        if away:
            self.send_header("Location", self._elsewhere())
        self.send_header("X-Repo-Commit", self.served.commit)
        self.send_header("X-Linked-Etag", f'"{self.served.etag(content)}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0" if away else str(len(content)))
        self.end_headers()

    def do_GET(self) -> None:
        """Send a file or the rest of it."""
        content = self._found("GET")
        if content is None:
            return
        hub, start = self.served, 0
        if hub.dead and not hub.cut:
            self.close_connection = True
            return
        if asked := self.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        rest = content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if hub.cut:
            hub.cut -= 1
            rest = rest[: hub.cut_at]
            self.close_connection = True
        self.wfile.write(bytes(byte ^ 1 for byte in rest) if hub.spoil else rest)

    def _elsewhere(self) -> str:
        port = self.served.url.rpartition(":")[2]
        return f"http://localhost:{port}/cdn/{self.path.rpartition(REVISION)[2].lstrip('/')}"

    def _found(self, method: str) -> bytes | None:
        """The file that is asked for; else an error is answered as the hub does."""
        hub = self.served
        authorized = "Authorization" in self.headers
        hub.requests.append(Request(method, self.path, self.headers.get("Range"), authorized))
        if self.path.startswith("/cdn/"):
            return hub.files[self.path.removeprefix("/cdn/")]
        repo, _, rest = self.path.removeprefix("/datasets/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        if repo != hub.repo:
            refusal = 401, "RepoNotFound"
        elif revision != REVISION:
            refusal = 404, "RevisionNotFound"
        elif name not in hub.files:
            refusal = 404, "EntryNotFound"
        else:
            return hub.files[name]
        self._refuse(*refusal)
        return None

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()
