"""A connection of the web server: one piece, closed at once, cut off for nobody."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator

import pytest
from gunicorn.util import close_graceful

from config.web_worker import MOST_HELD, PromptSocket


@pytest.fixture
def pair() -> Iterator[tuple[PromptSocket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), 10)
        accepted, _address = server.accept()
    with PromptSocket(fileno=accepted.detach()) as ours, client:
        yield ours, client


def everything(client: socket.socket) -> bytes:
    found = b""
    while chunk := client.recv(65_536):
        found += chunk
    return found


def test_it_sends_head_and_body_in_one_piece(pair) -> None:
    ours, client = pair
    ours.sendall(b"head ")
    ours.sendall(b"body")
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(10)
    close_graceful(ours)
    assert everything(client) == b"head body"


def test_it_does_not_wait_for_a_client_that_has_said_all(pair) -> None:
    ours, client = pair
    ours.sendall(b"answer")
    started = time.monotonic()
    close_graceful(ours, timeout=5.0)  # the client keeps its side open
    assert time.monotonic() - started < 2.5
    assert ours.fileno() == -1
    assert everything(client) == b"answer"


def test_a_client_that_is_still_sending_gets_the_whole_answer(pair) -> None:
    ours, client = pair
    client.sendall(b"x" * 30_000)
    time.sleep(0.05)
    ours.sendall(b"413 too large")
    client.shutdown(socket.SHUT_WR)
    close_graceful(ours)
    assert everything(client) == b"413 too large", "not cut off by a reset"


def test_a_long_answer_goes_out_while_it_is_made(pair) -> None:
    ours, client = pair
    ours.sendall(b"a" * (MOST_HELD + 1))
    assert client.recv(10) == b"a" * 10


def test_a_file_follows_what_was_said_before(pair) -> None:
    ours, client = pair
    ours.sendall(b"head ")
    with tempfile.TemporaryFile() as file:
        file.write(b"of a file")
        file.seek(0)
        ours.sendfile(file)
    close_graceful(ours)
    assert everything(client) == b"head of a file"


def test_a_client_that_has_gone_is_no_error(pair) -> None:
    ours, client = pair
    client.close()
    ours.sendall(b"answer")
    close_graceful(ours)
    assert ours.fileno() == -1
