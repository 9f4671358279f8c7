"""How workers share connections: whoever has least to do takes the next one.

The kernel hands a connection to whichever worker asks first, and the connection stays there, so that one
worker may have all the work while the other has none. Here each worker writes down how many of its
connections are busy, in memory that all share; a busier one waits a moment before it takes a connection, and
ends a connection after its answer when another worker is much freer.
"""

import asyncio
import mmap
import os
import socket
import ssl
from collections.abc import Callable

_POLL_S = 0.002
_POLLS = 10
"""A worker that hangs looks free: nobody waits for it any longer than this."""
_MUCH = 2
_MOST_AGREEING = 256
_NOBODY, _ABSENT = -1, -2
"""In place of a count: of a free slot, of a worker that takes no connections yet or any more."""


class Shares:
    """Busy connections of each worker, in memory shared by fork.

    Args:
        workers: how many there are at most.
    """

    def __init__(self, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * workers)).cast("i")
        self._pids = memoryview(mmap.mmap(-1, 4 * workers)).cast("i")
        self._own: int | None = None
        self._left = False
        for slot in range(workers):
            self._counts[slot] = _NOBODY

    def claim(self) -> None:
        """In the master, before a fork: set the next worker's slot, or none where all are taken."""
        self._own = next((slot for slot, count in enumerate(self._counts) if count == _NOBODY), None)
        if self._own is not None:
            self._counts[self._own] = _ABSENT

    def settle(self) -> None:
        """In a worker, after the fork."""
        if self._own is not None:
            self._pids[self._own] = os.getpid()

    def release(self, pid: int) -> None:
        """In the master: a worker has ended."""
        for slot, owner in enumerate(self._pids):
            if owner == pid:
                self._counts[slot], self._pids[slot] = _NOBODY, 0

    def join(self) -> None:
        """In a worker: connections are taken from now on."""
        if self._own is not None:
            self._counts[self._own] = 0

    def leave(self) -> None:
        """In a worker: and from now on no more."""
        if self._own is not None:
            self._counts[self._own] = _ABSENT
            self._own = None
        self._left = True

    @property
    def has_left(self) -> bool:
        """In a worker: whether it takes no connections any more."""
        return self._left

    def add(self, count: int) -> None:
        """In a worker: so many more connections are busy."""
        if self._own is not None:
            self._counts[self._own] += count

    def surplus(self) -> int:
        """In a worker: how many more busy connections it has than the freest other one."""
        if self._own is None:
            return 0
        others = [n for slot, n in enumerate(self._counts) if n >= 0 and slot != self._own]
        return self._counts[self._own] - min(others) if others else 0

    def is_much_busier(self) -> bool:
        """In a worker: whether connections had better go elsewhere."""
        return self.surplus() >= _MUCH


class Accepting:
    """Makes a connection of a socket that was taken.

    Args:
        protocol: speaks on it.
        tls: wraps it; None: as it is.
        handshake_s: a client that takes longer to agree on TLS is given up.
    """

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None, handshake_s: float
    ) -> None:
        self._protocol, self._tls, self._handshake_s = protocol, tls, handshake_s
        self._beginning: set[asyncio.Task[None]] = set()

    async def connect(self, connection: socket.socket) -> None:
        """Begin. Clients agree on TLS beside each other: a slow one keeps nobody waiting.

        Cancelling this doesn't cancel what has begun: uvloop would close the transport and still tell the
        protocol that it is connected, but never that it is not.
        """
        if len(self._beginning) >= _MOST_AGREEING:
            connection.close()
            return
        task = asyncio.create_task(self._connect(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        if self._tls is None:
            await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for what has begun, unless a client has its part in that."""
        if self._tls is None:
            await asyncio.gather(*self._beginning)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else self._handshake_s,
            )
        except OSError:  # the client has gone, or they didn't agree (ssl.SSLError is one)
            connection.close()


async def accept_fairly(listening: socket.socket, accepting: Accepting, shares: Shares) -> None:
    """Take connections, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        polls = 0
        while shares.surplus() > 0 and polls < _POLLS:
            polls += 1
            await asyncio.sleep(_POLL_S)
        try:
            connection, _ = await loop.sock_accept(listening)
        except OSError:  # out of file descriptors, or the client has gone
            await asyncio.sleep(_POLL_S)
            continue
        await accepting.connect(connection)
