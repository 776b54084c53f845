"""Messages between workers apart from gradients, over separate connections to the first worker."""

import contextlib
import hmac
import os
import secrets
import select
import socket
import struct
import threading
import time
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional
from weakref import WeakSet

from .. import _check

TIMEOUT = "GLUON_LR_TIMEOUT"  # environment variable: seconds to wait for other workers
LOOK = 0.25  # seconds between checks of the other workers while waiting
_LONGEST = 10**6  # longest timeout of a socket, in seconds
_TOKEN = 16  # bytes of the secret that a worker sends when it connects
_HELLO = struct.Struct(f"!{_TOKEN}sQ")  # the secret, and the worker's rank
_GREETING = 5.0  # seconds in which a new connection must send these
_NAME = 48  # bytes of a call's name that are sent; the rest is cut off
_CALL = struct.Struct(f"!QQ{_NAME}s")  # header of what the others send to the first
_REPLY = struct.Struct("!BQ")  # header of what the first sends to the others: kind and size
_ANSWER, _LOST, _WAITING = 1, 2, 3  # kinds: an answer, an error, the call at which the first waits


class WorkersLostError(RuntimeError):
    """Another worker has ended, made another call, did not answer in time, or never connected."""


class _Call(NamedTuple):
    """A worker's call: the updates made before it, the size of its data, and its name."""

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
    """The connections of workers to the first worker, which answers all of them.

    All workers must make the same calls in the same order, and each call after the same number of
    updates. If one does not, or ends, the others raise a WorkersLostError in their next call.

    Parameters
    ----------
    rank, count : int
        This worker's rank, and the number of workers.
    peers : dict
        Connections by rank: the first worker's to all others, or another worker's to the first.
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
        self._closed: Optional[str] = None  # the reason
        self._poll = select.poll()
        self._ranks = {peer.fileno(): rank for rank, peer in peers.items()}
        for peer in self._peers.values():
            peer.settimeout(min(timeout, _LONGEST))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(peer, select.POLLIN)
        _open.add(self)

    def call(
        self, name: str, updates: int, own: bytes, answer: Callable[[List[bytes]], bytes]
    ) -> bytes:
        """Send this worker's data, and return the first worker's answer to the data of all.

        Parameters
        ----------
        name : str
            The name of the call, in at most 48 characters of ASCII.
        updates : int
            How many updates were made before it.
        own : bytes
            This worker's data, of the same length on all workers.
        answer : callable
            Takes the list of all workers' data, by rank, and returns the answer. Only the first
            worker calls it.

        Raises
        ------
        WorkersLostError
            If another worker makes another call, has ended, or does not answer in time.
        """
        self._check_open()
        call = _Call(updates, len(own), name.encode()[:_NAME])
        try:
            return self._ask(call, own) if self._rank else self._answer(call, own, answer)
        except WorkersLostError as lost:
            self.close(str(lost))
            raise
        except BaseException:  # a late answer must not be taken for that to a later call
            self.close(
                f"Learner: all workers must complete each call, but a call of worker {self._rank} "
                "was interrupted. Start the training again, for example from a checkpoint."
            )
            raise

    def check(self, updates: int) -> None:
        """Raise a WorkersLostError if another worker will not take part in `updates` updates.

        It has ended, or it waits in a call that it made after fewer updates.
        """
        self._check_open()
        for rank in self._readable(0):
            with self._peer(rank) as peer:
                size = _CALL.size + (_REPLY.size if self._rank else 0)
                begun = peer.recv(size, socket.MSG_PEEK)
            if not begun:
                raise self._ended(rank)
            theirs = self._call_of(begun)
            if theirs is not None and theirs.updates < updates:
                raise self._astray(rank, theirs, f"waits for update {updates}")

    def close(self, reason: str) -> None:
        """Close the connections, which tells the others; later calls raise with this reason."""
        self._closed = self._closed or reason
        for peer in self._peers.values():
            peer.close()

    def _check_open(self) -> None:
        if self._closed is not None:
            raise WorkersLostError(self._closed)

    def _call_of(self, begun: bytes) -> Optional[_Call]:
        """Return the call at which another waits, from the bytes received; None if incomplete."""
        if self._rank:
            kind, size = _REPLY.unpack(begun[: _REPLY.size].ljust(_REPLY.size, b"\0"))
            if kind == _LOST:
                self._read(_REPLY.size)
                raise WorkersLostError(self._read(size).decode())
            begun = begun[_REPLY.size :] if kind == _WAITING else b""
        return _Call.read(begun) if len(begun) == _CALL.size else None

    def _ask(self, call: _Call, own: bytes) -> bytes:
        self._send(0, _CALL.pack(*call) + own)
        while True:
            kind, size = _REPLY.unpack(self._read(_REPLY.size))
            reply = self._read(size)
            if kind == _ANSWER:
                return reply
            if kind == _LOST:
                raise WorkersLostError(reply.decode())
            self._check_same(0, reply, call)

    def _answer(self, call: _Call, own: bytes, answer: Callable[[List[bytes]], bytes]) -> bytes:
        try:
            given = self._gathered(call)
        except WorkersLostError as lost:
            for rank in self._peers:
                with contextlib.suppress(WorkersLostError):
                    self._reply(rank, _LOST, str(lost).encode())
            raise
        made = answer([own, *given])
        for rank in self._peers:
            self._reply(rank, _ANSWER, made)
        return made

    def _gathered(self, call: _Call) -> List[bytes]:
        """Return the data of all others, read in any order; raise an error if one ends."""
        size, has_told = _CALL.size + call.size, False
        coming = {rank: bytearray() for rank in self._peers}
        last = time.monotonic() + self._timeout
        while any(len(data) < size for data in coming.values()):
            ready = self._readable(LOOK)
            for rank in ready:
                coming[rank] += self._received(rank, max(size - len(coming[rank]), 1))
                if len(coming[rank]) >= _CALL.size:
                    self._check_same(rank, bytes(coming[rank][: _CALL.size]), call)
            if not ready and not has_told:
                for rank in self._peers:
                    self._reply(rank, _WAITING, _CALL.pack(*call))
                has_told = True
            if not ready and time.monotonic() > last:
                raise self._no_answer()
        return [bytes(data[_CALL.size :]) for data in coming.values()]

    def _readable(self, seconds: float) -> List[int]:
        """Return the ranks of workers that send something or end within some seconds."""
        return [self._ranks[number] for number, _ in self._poll.poll(1e3 * seconds)]

    def _check_same(self, rank: int, read: bytes, own: _Call) -> None:
        theirs = _Call.read(read)
        if theirs != own:
            raise self._astray(rank, theirs, f"is at {own}")

    def _reply(self, rank: int, kind: int, data: bytes) -> None:
        self._send(rank, _REPLY.pack(kind, len(data)) + data)

    def _send(self, rank: int, data: bytes) -> None:
        with self._peer(rank) as peer:
            peer.sendall(data)

    def _received(self, rank: int, most: int) -> bytes:
        with self._peer(rank) as peer:
            data = peer.recv(most)
        if not data:
            raise self._ended(rank)
        return data

    def _read(self, size: int) -> bytes:
        """Return the next `size` bytes from the first worker."""
        data = bytearray()
        while len(data) < size:
            data += self._received(0, size - len(data))
        return bytes(data)

    @contextlib.contextmanager
    def _peer(self, rank: int) -> Iterator[socket.socket]:
        """Yield the connection to a worker; if it fails, raise a WorkersLostError."""
        try:
            yield self._peers[rank]
        except socket.timeout:
            raise self._no_answer() from None
        except OSError:
            raise self._ended(rank) from None

    def _no_answer(self) -> WorkersLostError:
        return no_answer(f"worker {self._rank} of {self._count}", self._timeout)

    def _ended(self, rank: int) -> WorkersLostError:
        return WorkersLostError(
            f"Learner: all workers of the KVStore must end together, but worker {rank} of "
            f"{self._count} has ended, or has lost another worker, while worker {self._rank} is "
            "still training."
        )

    def _astray(self, rank: int, theirs: _Call, own: str) -> WorkersLostError:
        return WorkersLostError(
            f"Learner: all workers of the KVStore must make the same calls, but worker {rank} of "
            f"{self._count} is at {theirs}, while worker {self._rank} {own}. If code cancels a "
            "fit, ends the program or reads a loss during a fit, it must do so in all workers."
        )


def connect(rank: int, count: int, timeout: float, of_first: Callable[[bytes], bytes]) -> Exchange:
    """Connect the workers; all of them must call this function.

    Parameters
    ----------
    rank, count : int
        This worker's rank, and the number of workers.
    timeout : float
        Seconds to wait for another worker.
    of_first : callable
        Returns, on all workers, the bytes with which the first worker calls it.

    Raises
    ------
    WorkersLostError
        If a worker cannot be reached, or does not connect in time.
    """
    last = time.monotonic() + timeout
    if rank == 0:
        token, host = secrets.token_bytes(_TOKEN), own_host(os.environ)
        is_local = host.startswith("127.")
        with socket.create_server((host if is_local else "", 0), backlog=128) as server:
            port = server.getsockname()[1]
            of_first(f"{token.hex()} {host} {port}".encode())
            peers = _greeted(server, token, count, last)
        if len(peers) < count - 1:
            raise no_answer(f"worker 0 of {count}", timeout)
        return Exchange(rank, count, peers, timeout)
    shown, host, number = of_first(b"").decode().split()
    try:
        first = socket.create_connection((host, int(number)), min(timeout, _LONGEST))
        first.sendall(_HELLO.pack(bytes.fromhex(shown), rank))
    except OSError as error:
        raise WorkersLostError(
            f"Learner: worker {rank} must reach worker 0 at {host}:{number}, got {error}. On the "
            "machine of worker 0, set DMLC_NODE_HOST to an address that the others can reach."
        ) from None
    return Exchange(rank, count, {0: first}, timeout)


def seconds_to_wait(owner: str, variables: Mapping[str, str]) -> float:
    """Read from environment variables how many seconds workers wait for one another.

    Raises
    ------
    ValueError
        If GLUON_LR_TIMEOUT is not a number above 0, or is longer than Python can wait.
    """
    text = variables.get(TIMEOUT, "300")
    try:
        return _check.real(owner, TIMEOUT, float(text), above=0, maximum=threading.TIMEOUT_MAX)
    except ValueError:
        constraint = f"a number of seconds above 0, at most {threading.TIMEOUT_MAX:g}"
        raise ValueError(_check.message(owner, TIMEOUT, constraint, text)) from None


def own_host(variables: Mapping[str, str]) -> str:
    """Return the address at which other workers reach this machine, from MXNet's variables.

    This is DMLC_NODE_HOST, or else the address from which this machine reaches DMLC_PS_ROOT_URI.
    That may be this machine's own name, which Debian's /etc/hosts maps to the loopback interface.
    In this case it is the address from which this machine reaches the network.
    """
    if variables.get("DMLC_NODE_HOST"):
        return variables["DMLC_NODE_HOST"]
    scheduler = variables.get("DMLC_PS_ROOT_URI", "127.0.0.1")
    host = _host_towards(scheduler)
    means_loopback = scheduler.startswith(("127.", "localhost"))
    return host if means_loopback or not host.startswith("127.") else _host_towards("192.0.2.1")


def _host_towards(other: str) -> str:
    """Return the address from which this machine reaches another; this sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((other, 9))
        except OSError:  # no route, or no such name
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def no_answer(who: str, timeout: float) -> WorkersLostError:
    """Return the error for a worker that has waited for `timeout` seconds."""
    return WorkersLostError(
        f"Learner: all workers of the KVStore must answer within {timeout:g} s ({TIMEOUT}), but "
        f"{who} got no answer. Another worker has died, made other calls, or never started. Check "
        "that DMLC_NUM_WORKER is the number of workers that you started."
    )


def _greeted(
    server: socket.socket, token: bytes, count: int, last: float
) -> Dict[int, socket.socket]:
    """Accept connections that send the token in time, and return them by rank."""
    peers: Dict[int, socket.socket] = {}
    while len(peers) < count - 1 and time.monotonic() < last:
        server.settimeout(LOOK)
        with contextlib.suppress(socket.timeout):
            peer, _ = server.accept()
            rank = _shown_rank(peer, token, min(last, time.monotonic() + _GREETING))
            if rank in range(1, count) and rank not in peers:
                peers[rank] = peer
            else:
                peer.close()
    return peers


def _shown_rank(peer: socket.socket, token: bytes, last: float) -> int:
    """Return the rank that a new connection sends with the token; 0 if it does not in time."""
    hello = b""
    with contextlib.suppress(OSError):
        while len(hello) < _HELLO.size:
            peer.settimeout(max(last - time.monotonic(), 1e-3))
            data = peer.recv(_HELLO.size - len(hello))
            hello += data
            if not data or time.monotonic() > last:
                return 0
        shown, rank = _HELLO.unpack(hello)
        return int(rank) if hmac.compare_digest(shown, token) else 0
    return 0


_open: "WeakSet[Exchange]" = WeakSet()


def _close_all() -> None:
    """Close connections in a forked process, so that they end with the worker that opened them."""
    for exchange in list(_open):
        exchange.close(
            "Learner: a process that was forked from a worker of the KVStore cannot call the other "
            "workers. Make these calls in the worker itself."
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)
