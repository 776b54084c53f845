"""What workers tell each other beside gradients, over connections of their own to the first."""

import contextlib
import hmac
import os
import secrets
import select
import socket
import struct
import time
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional
from weakref import WeakSet

TIMEOUT = "GLUON_LR_TIMEOUT"  # the variable with the seconds to wait for the others
_TOKEN = 16  # bytes that a worker shows when it connects, and no one else has
_HELLO = struct.Struct(f"!{_TOKEN}sQ")  # these, and its rank
_GREETING = 5.0  # seconds for a connection to show them
_CALL = struct.Struct("!QQ48s")
_ANSWER = struct.Struct("!?Q")  # whether it is one, or says why there is none; its bytes


class WorkersLostError(RuntimeError):
    """Another worker has ended, makes other calls, has not answered in time, or never came."""


class _Call(NamedTuple):
    """A call that a worker makes: after how many updates, what it is, and the bytes it gives."""

    updates: int
    size: int
    name: bytes

    @classmethod
    def read(cls, data: bytes) -> "_Call":
        updates, size, name = _CALL.unpack(data)
        return cls(updates, size, name.rstrip(b"\0"))

    def __str__(self) -> str:
        return f"{self.name.decode()!r} ({self.size} bytes) after {self.updates} updates"


class Exchange:
    """The connections of workers to the first one, which answers to all of them.

    They make the same calls in the same order, each after as many updates. Where one does not,
    or has ended, the others raise a WorkersLostError at their next call.

    Parameters
    ----------
    rank, count : int
        Which worker this is, of how many.
    peers : dict
        The connection to each other worker by its rank; where this is not the first, to that.
    timeout : float
        Seconds to wait for another worker.
    """

    def __init__(
        self, rank: int, count: int, peers: Mapping[int, socket.socket], timeout: float
    ) -> None:
        self._rank = rank
        self._count = count
        self._peers = dict(sorted(peers.items()))
        self._timeout = timeout
        for peer in self._peers.values():
            peer.settimeout(timeout)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _open.add(self)

    def call(
        self, name: str, updates: int, own: bytes, answer: Callable[[List[bytes]], bytes]
    ) -> bytes:
        """Return what the first answers to what all workers give.

        Parameters
        ----------
        name : str
            What call this is, in at most 48 characters of ASCII.
        updates : int
            How many updates were made before it.
        own : bytes
            What this worker gives, of the same length on all.
        answer : callable
            From what each gave, by their ranks, to the answer. The first alone calls it.

        Raises
        ------
        WorkersLostError
            Where another makes another call, has ended, or has not answered in time.
        """
        call = _Call(updates, len(own), name.encode())
        try:
            return self._ask(call, own) if self._rank else self._answer(call, own, answer)
        except BaseException:  # no answer is to be taken for that to a later call
            self.close()
            raise

    def check(self, updates: int) -> None:
        """Raise a WorkersLostError where another cannot give its part of so many updates.

        It has ended, or waits in a call for this one to make it too, after fewer updates.
        """
        for rank, peer in self._peers.items():
            poll = select.poll()
            poll.register(peer, select.POLLIN)
            if not poll.poll(0):
                continue
            with self._or_ended(rank):
                begun = peer.recv(_CALL.size, socket.MSG_PEEK)
            if not begun:
                raise self._ended(rank)
            if len(begun) == _CALL.size:
                theirs = _Call.read(begun)
                if theirs.updates < updates:
                    raise self._astray(rank, theirs, f"waits for update {updates}")

    def close(self) -> None:
        """End the connections, by which the others know."""
        for peer in self._peers.values():
            peer.close()

    def _ask(self, call: _Call, own: bytes) -> bytes:
        self._send(0, _CALL.pack(*call) + own)
        self._check_same(0, call)
        is_answer, size = _ANSWER.unpack(self._read(0, _ANSWER.size))
        answer = self._read(0, size)
        if not is_answer:
            raise WorkersLostError(answer.decode())
        return answer

    def _answer(self, call: _Call, own: bytes, answer: Callable[[List[bytes]], bytes]) -> bytes:
        for rank in self._peers:
            self._send(rank, _CALL.pack(*call))
        try:
            for rank in self._peers:
                self._check_same(rank, call)
            given = [own, *(self._read(rank, call.size) for rank in self._peers)]
        except WorkersLostError as lost:
            with contextlib.suppress(WorkersLostError):
                self._tell_all(False, str(lost).encode())
            raise
        made = answer(given)
        self._tell_all(True, made)
        return made

    def _tell_all(self, is_answer: bool, data: bytes) -> None:
        for rank in self._peers:
            self._send(rank, _ANSWER.pack(is_answer, len(data)) + data)

    def _check_same(self, rank: int, own: _Call) -> None:
        """Read which call another makes, and check that it is this worker's too."""
        theirs = _Call.read(self._read(rank, _CALL.size))
        if theirs != own:
            raise self._astray(rank, theirs, f"is at {own}")

    def _send(self, rank: int, data: bytes) -> None:
        with self._or_ended(rank):
            self._peers[rank].sendall(data)

    def _read(self, rank: int, size: int) -> bytes:
        with self._or_ended(rank):
            data = _read_exactly(self._peers[rank], size)
        if data is None:
            raise self._ended(rank)
        return data

    @contextlib.contextmanager
    def _or_ended(self, rank: int) -> Iterator[None]:
        try:
            yield
        except socket.timeout:
            who = f"worker {self._rank} of {self._count}"
            raise no_answer(who, self._timeout) from None
        except OSError:
            raise self._ended(rank) from None

    def _ended(self, rank: int) -> WorkersLostError:
        return WorkersLostError(
            f"Learner: all workers of the KVStore must end together, and worker {rank} of "
            f"{self._count} has ended, or has lost another one, while worker {self._rank} trains."
        )

    def _astray(self, rank: int, theirs: _Call, own: str) -> WorkersLostError:
        return WorkersLostError(
            f"Learner: all workers of the KVStore must make the same calls, and worker {rank} of "
            f"{self._count} is at {theirs}, where worker {self._rank} {own}. What cancels, ends "
            "the program or reads a loss must do so on all of them."
        )


def connect(
    rank: int, count: int, host: str, timeout: float, of_first: Callable[[bytes], bytes]
) -> Exchange:
    """Connect the workers: all of them call it.

    Parameters
    ----------
    rank, count : int
        Which worker this is, of how many.
    host : str
        The address at which others reach this machine.
    timeout : float
        Seconds to wait for another worker.
    of_first : callable
        Which returns, on all workers, the bytes that the first gave to it.

    Raises
    ------
    WorkersLostError
        Where one is not reached, or does not come.
    """
    if rank:
        token, _, address = of_first(b"").partition(b" ")
        host, _, port = address.decode().rpartition(":")
        try:
            first = socket.create_connection((host, int(port)), timeout)
            first.sendall(_HELLO.pack(bytes.fromhex(token.decode()), rank))
        except OSError as error:
            raise WorkersLostError(
                f"Learner: worker {rank} must reach worker 0 at {address.decode()}, got {error}. "
                "Set DMLC_NODE_HOST on each machine to the address that the others know it by."
            ) from None
        return Exchange(rank, count, {0: first}, timeout)
    token = secrets.token_bytes(_TOKEN)
    with socket.create_server((host, 0), backlog=socket.SOMAXCONN) as server:
        port = server.getsockname()[1]
        of_first(f"{token.hex()} {host}:{port}".encode())
        return Exchange(rank, count, _greeted(server, token, count, timeout), timeout)


def no_answer(who: str, timeout: float) -> WorkersLostError:
    """Return the error of a worker that has waited for so many seconds."""
    return WorkersLostError(
        f"Learner: all workers of the KVStore must answer within {timeout:g} s ({TIMEOUT}), and "
        f"to {who} they did not. One has died, made other calls than this one, or never came: "
        "compare DMLC_NUM_WORKER with what was started."
    )


def _greeted(
    server: socket.socket, token: bytes, count: int, timeout: float
) -> Dict[int, socket.socket]:
    """Return the connections of all others by their ranks; what shows no token is turned away."""
    peers: Dict[int, socket.socket] = {}
    last = time.monotonic() + timeout
    while len(peers) < count - 1:
        server.settimeout(max(last - time.monotonic(), 0.01))
        try:
            peer, _ = server.accept()
        except socket.timeout:
            raise no_answer(f"worker 0 of {count}", timeout) from None
        peer.settimeout(_GREETING)
        hello = None
        with contextlib.suppress(OSError):
            hello = _read_exactly(peer, _HELLO.size)
        shown, rank = _HELLO.unpack(hello or bytes(_HELLO.size))
        if hmac.compare_digest(shown, token) and rank not in peers:
            peers[rank] = peer
        else:
            peer.close()
    return peers


def _read_exactly(peer: socket.socket, size: int) -> Optional[bytes]:
    """Return the next bytes of a connection; None where it ends before."""
    data = bytearray(size)
    left = memoryview(data)
    while left:
        read = peer.recv_into(left)
        if not read:
            return None
        left = left[read:]
    return bytes(data)


_open: "WeakSet[Exchange]" = WeakSet()


def _close_all() -> None:
    """Close what a forked process, a DataLoader's say, would hold open after its worker's end."""
    for exchange in list(_open):
        exchange.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)
