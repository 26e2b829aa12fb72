"""As much of S3's protocol as Arrow speaks, in memory, on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import threading
import urllib.parse
from collections.abc import Iterator
from typing import BinaryIO
from xml.sax.saxutils import escape

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class FakeS3:
    """A store of objects.

    Attributes:
        objects: ``bucket/key`` -> bytes.
        refused: objects to which access is denied.
        url: where it is.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refused: set[str] = set()
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a client must find in its environment."""
        return ENVIRONMENT | {"AWS_ENDPOINT_URL": self.url}


@contextlib.contextmanager
def serving() -> Iterator[FakeS3]:
    store = FakeS3()
    handler = type("Handler", (_Handler,), {"store": store})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    store.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: FakeS3

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        key, query = self._asked()
        if "list-type" in query or "/" not in key:
            self._list(key, query)
        elif key in self.store.refused:
            self._answer(403, _error("AccessDenied"))
        elif key not in self.store.objects:
            self._answer(404, _error("NoSuchKey"))
        else:
            self._send(self.store.objects[key])

    def do_PUT(self) -> None:
        key, query = self._asked()
        data = self._body()
        if "uploadId" in query:
            self.store.uploads[query["uploadId"]][int(query["partNumber"])] = data
        else:
            self.store.objects[key] = data
        self._answer(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

    def do_POST(self) -> None:
        key, query = self._asked()
        self._body()
        if "uploads" in query:
            name = f"upload{len(self.store.uploads)}"
            self.store.uploads[name] = {}
            body = f"<UploadId>{name}</UploadId>"
            self._answer(200, _xml("InitiateMultipartUploadResult", body))
        else:
            parts = self.store.uploads.pop(query["uploadId"])
            self.store.objects[key] = b"".join(parts[number] for number in sorted(parts))
            self._answer(200, _xml("CompleteMultipartUploadResult", "<ETag>x</ETag>"))

    def do_DELETE(self) -> None:
        key, _ = self._asked()
        self.store.objects.pop(key, None)
        self._answer(204, b"")

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        key = urllib.parse.unquote(parts.path).strip("/")
        return key, {name: values[0] for name, values in query.items()}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = _unchunked(self.rfile)
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            data = _unchunked(io.BytesIO(data))
        return data

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        entries, folders = [], set()
        for name, data in sorted(self.store.objects.items()):
            key = name.removeprefix(bucket + "/")
            if key == name or not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                entries.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
                    "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                )
        shared = "".join(
            f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
            for folder in sorted(folders)
        )
        count = f"<KeyCount>{len(entries) + len(folders)}</KeyCount>"
        body = f"<IsTruncated>false</IsTruncated>{count}{''.join(entries)}{shared}"
        self._answer(200, _xml("ListBucketResult", body))

    def _send(self, data: bytes) -> None:
        wanted = self.headers.get("Range")
        if wanted is None:
            self._answer(200, data, {"ETag": '"x"'})
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = min(int(last or len(data)), len(data) - 1)
        span = {"Content-Range": f"bytes {first}-{end}/{len(data)}", "ETag": '"x"'}
        self._answer(206, data[int(first) : end + 1], span)

    def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _unchunked(stream: BinaryIO) -> bytes:
    """Read HTTP's chunks, or Amazon's, which may end in lines of checksums."""
    parts = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    while stream.readline().strip():
        pass
    return b"".join(parts)


def _xml(tag: str, body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{tag}>{body}</{tag}>'.encode()


def _error(code: str) -> bytes:
    return _xml("Error", f"<Code>{code}</Code><Message>{code}</Message>")
