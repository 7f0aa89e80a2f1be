import hashlib
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import DataError
from cisgram.core.places import hold
from cisgram.data import download as module
from cisgram.data.download import ChecksumError, UnreachableError, download, matches
from limits import small_files

CONTENT = np.random.default_rng(0).bytes(2_500_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Server(ThreadingHTTPServer):
    """Serves CONTENT, as badly as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.version = '"one"'
        self.ranges = True
        self.cuts: list[int] = []  # bytes sent before each of the next connections breaks
        self.statuses: list[int] = []  # answers to the next requests
        self.requests: list[str] = []  # the ranges asked for
        self.raw: list[str] = []  # the first lines of an answer in place of all this

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that leave."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.requests.append(asked)
        if self.server.raw:
            head = "\r\n".join([f"HTTP/1.1 {self.server.raw[0]}", *self.server.raw[1:]])
            self.wfile.write(head.encode() + b"\r\nConnection: close\r\n\r\nwords")
            return
        if self.server.statuses and (status := self.server.statuses.pop(0)) != 200:
            self.send_error(status)
            return
        content, first = self.server.content, 0
        same = self.headers.get("If-Range", self.server.version) == self.server.version
        if asked and self.server.ranges and same:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if '"' in self.server.version:
            self.send_header("ETag", self.server.version)
        elif self.server.version:
            self.send_header("Last-Modified", self.server.version)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        last = first + self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[first:last])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "set" / "file.bin"


def _whole(place: Path) -> bool:
    return place.read_bytes() == CONTENT and list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("checksum", [SHA256, MD5, MD5.upper().replace("MD5", "md5"), None])
def test_file_arrives_whole_and_alone(server, place, checksum):
    download(server.url, place, checksum)
    assert _whole(place)
    assert server.requests == [""]


@pytest.mark.parametrize("version", ['"one"', "Sat, 21 Nov 2026 11:00:00 GMT"])
def test_broken_connection_is_continued_where_it_stopped(server, place, version):
    server.version, server.cuts = version, [1_000_000, 700_000]
    download(server.url, place, SHA256)
    assert _whole(place)
    assert server.requests == ["", "bytes=1000000-", "bytes=1700000-"]


def test_download_is_continued_by_a_later_run(server, place):
    server.cuts, server.statuses = [1_000_000], [200, 503, 503, 503, 503]
    with pytest.raises(UnreachableError, match=r"answered 503 .*; run it again later"):
        download(server.url, place, SHA256)
    assert not place.exists()
    assert place.with_name("file.bin.part").read_bytes() == CONTENT[:1_000_000]
    server.requests.clear()
    download(server.url, place, SHA256)
    assert _whole(place)
    assert server.requests == ["bytes=1000000-"]


def test_part_that_was_whole_already_is_published(server, place):
    place.parent.mkdir()
    place.with_name("file.bin.part").write_bytes(CONTENT)
    place.with_name("file.bin.part.version").write_text('"one"')
    download(server.url, place, SHA256)
    assert _whole(place)


def test_part_longer_than_the_file_is_dropped(server, place):
    place.parent.mkdir()
    place.with_name("file.bin.part").write_bytes(CONTENT + b"x")
    place.with_name("file.bin.part.version").write_text('"one"')
    download(server.url, place, SHA256)
    assert _whole(place)


def test_part_of_an_older_version_is_not_continued(server, place):
    place.parent.mkdir()
    place.with_name("file.bin.part").write_bytes(b"old" * 1000)
    place.with_name("file.bin.part.version").write_text('"zero"')
    download(server.url, place, None)
    assert _whole(place)


@pytest.mark.parametrize("version", ["", 'W/"weak"'])
def test_part_is_not_continued_when_the_server_names_no_version(server, place, version):
    server.version, server.cuts = version, [1_000_000]
    download(server.url, place, None)
    assert _whole(place)
    assert server.requests == ["", ""]


def test_server_without_ranges_is_read_from_the_start_again(server, place):
    server.ranges, server.cuts = False, [1_000_000]
    download(server.url, place, SHA256)
    assert _whole(place)


def test_server_that_always_breaks_at_the_same_place_is_given_up(server, place):
    server.ranges, server.cuts = False, [1000] * 9
    with pytest.raises(UnreachableError, match="broke the connection"):
        download(server.url, place, SHA256)
    assert len(server.requests) == 5


def test_wrong_checksum_leaves_nothing(server, place):
    server.content = b"an error page"
    with pytest.raises(ChecksumError, match=r"is not file\.bin \(sha256:.* it was removed"):
        download(server.url, place, SHA256)
    assert not place.parent.exists()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (["200 OK", "Content-Length: 0"], r"\(nothing\)"),
        (["204 No Content"], "an answer 204"),
        (["203 Non-Authoritative", "Content-Length: 5"], "an answer 203"),
        (["206 Partial", "Content-Range: bytes 5-9/10", "Content-Length: 5"], "bytes from 5 on"),
        (["206 Partial", "Content-Length: 5"], "a part without its place"),
        (["206 Partial", "Content-Range: bytes 0-9/5", "Content-Length: 5"], "5 bytes for the"),
        (["200 OK", "Content-Encoding: gzip", "Content-Length: 5"], "encoded as gzip"),
        (["200 OK", "Content-Length: 5e0"], "its length is '5e0'"),
        (["200 OK", "Content-Length: -1"], "its length is '-1'"),
        (["200 OK", "Content-Length: 6"], "6 bytes, and 5 expected"),
        (["200 OK", "Content-Length: 4"], "4 bytes, and 5 expected"),
    ],
)
def test_what_is_no_file_is_not_taken_for_one(server, place, answer, why):
    server.raw = answer
    size = 5 if "expected" in why else None
    with pytest.raises(ChecksumError, match=why):
        download(server.url, place, None, size=size)
    assert not place.parent.exists()


def test_more_than_the_published_size_ends_the_download(server, place):
    server.raw = ["200 OK"]
    with pytest.raises(ChecksumError, match="more than the 3 bytes expected"):
        download(server.url, place, None, size=3)
    server.raw = ["200 OK"]
    download(server.url, place, None, size=5)
    assert place.read_bytes() == b"words"


def test_a_file_said_to_be_encoded_is_told_by_its_checksum(server, place):
    server.raw = ["200 OK", "Content-Encoding: x-gzip", "Content-Length: 5"]
    download(server.url, place, f"md5:{hashlib.md5(b'words').hexdigest()}")
    assert place.read_bytes() == b"words"


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(server, place, monkeypatch):
    monkeypatch.setattr(module, "_SLOWEST", 10**12)
    monkeypatch.setattr(module, "_WHILE", 0.0)
    with pytest.raises(UnreachableError, match="sends less than"):
        download(server.url, place, SHA256)
    assert len(server.requests) == 4


def test_missing_file_is_not_asked_for_twice(server, place):
    server.statuses = [404]
    with pytest.raises(
        UnreachableError, match=r"answered 404 \(Not Found\).* put it at .*file.bin"
    ):
        download(server.url, place, SHA256)
    assert server.requests == [""]
    assert not place.parent.exists()


def test_busy_server_is_asked_again(server, place):
    server.statuses = [503, 429, 200]
    download(server.url, place, SHA256)
    assert _whole(place)


def test_without_a_network_the_message_says_where_to_put_the_file(place, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file.bin"
        with pytest.raises(UnreachableError, match=r"cannot be reached .*refused") as caught:
            download(url, place, None)
    assert str(caught.value).endswith(f"fetch file.bin elsewhere and put it at {place}.")
    assert not place.parent.exists()


def test_file_larger_than_the_free_space_is_not_begun(server, place, monkeypatch):
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: free)
    with pytest.raises(DataError, match="the disk is full; free some space"):
        download(server.url, place, SHA256)
    assert not place.parent.exists()


def test_disk_that_fills_up_midway_keeps_the_part(server, place):
    refused = pytest.raises(DataError, match=r"cannot write .*file.bin: the file may not grow")
    with refused, small_files(1_000_000):
        download(server.url, place, SHA256)
    assert not place.exists()
    download(server.url, place, SHA256)
    assert _whole(place)
    assert re.fullmatch(r"bytes=\d+-", server.requests[-1])


def test_two_processes_do_not_write_one_file(server, place):
    with hold(place), ThreadPoolExecutor(1) as other:
        coming = other.submit(download, server.url, place, SHA256)
        with pytest.raises(DataError, match="another process is writing"):
            coming.result()


def test_a_part_that_another_program_left_is_not_touched(server, place):
    part = place.with_name("file.bin.part")
    part.parent.mkdir()
    part.write_bytes(b"theirs")
    with pytest.raises(DataError, match=r"part is not of cisgram and in the way"):
        download(server.url, place, SHA256)
    assert part.read_bytes() == b"theirs"


def test_matches_reads_the_named_algorithm(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert matches(path, SHA256)
    assert matches(path, MD5)
    assert not matches(path, SHA256[:-1] + ("0" if SHA256[-1] != "0" else "1"))
