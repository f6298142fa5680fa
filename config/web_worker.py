"""gunicorn's synchronous worker, which lets a client go as soon as it has its answer.

The stock worker half-closes a connection and then waits for the client to close its side, so that the last
bytes are not cut off where the client is still sending. That is a round trip for every request: with 50 ms to
the browser a worker would serve no more than twenty a second. Only a client that is still sending needs it.
It also sends the head of an answer by itself, which wakes the client for nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from gunicorn.workers.sync import SyncWorker

MOST_HELD = 65_536  # bytes of an answer that wait for what comes next


class PromptSocket(socket.socket):
    """A connection that sends an answer in one piece, and whose reading side counts as closed once the last word
    to a silent client is said.
    """

    is_over = False
    held = b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.held += data
        if len(self.held) > MOST_HELD:
            self.flush()

    def sendfile(self, *args: Any, **kwargs: Any) -> int:
        self.flush()
        return super().sendfile(*args, **kwargs)

    def flush(self) -> None:
        held, self.held = self.held, b""
        super().sendall(held)

    def shutdown(self, how: int) -> None:
        self.flush()
        super().shutdown(how)
        try:
            super().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.is_over = True

    def recv(self, *args: Any) -> bytes:
        return b"" if self.is_over else super().recv(*args)


class Worker(SyncWorker):
    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        with PromptSocket(fileno=client.detach()) as prompt:
            super().handle(listener, prompt, addr)
