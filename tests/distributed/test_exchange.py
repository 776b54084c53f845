"""Numbers that workers tell each other, here by threads in the place of workers."""

import contextlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_lr import WorkersLostError
from gluon_lr.distributed import exchange
from gluon_lr.distributed.exchange import connect

PATIENCE = 60  # seconds, which no test is to wait for
HOST = "127.0.0.1"


def connected(count, timeout=PATIENCE, before=lambda address: None):
    """Return the exchanges of so many workers; `before` is given the address of the first."""
    address, is_known = [], threading.Event()

    def of_first(own):
        if own:
            before(own)
            address.append(own)
            is_known.set()
        assert is_known.wait(PATIENCE)
        return address[0]

    return in_threads(count, lambda rank: connect(rank, count, timeout, of_first))


def in_threads(count, work):
    """Return what `work(rank)` does in each of so many threads, the errors of lost workers too."""

    def worked(rank):
        try:
            return work(rank)
        except WorkersLostError as lost:
            return str(lost)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(worked, range(count)))


def joined(given):
    return b"|".join(given)


def all_call(exchanges, calls):
    """Have each make a call, (name, updates, own); return what came of them."""
    return in_threads(len(exchanges), lambda rank: exchanges[rank].call(*calls[rank], joined))


ROUND = st.integers(0, 300).flatmap(
    lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=3, max_size=3)
)


@given(st.lists(ROUND, max_size=5))
@settings(max_examples=20, deadline=None)
def test_all_get_the_answer_of_the_first_to_what_each_gave(rounds):
    exchanges = connected(3)
    for updates, given_ in enumerate(rounds):
        calls = [("a call", updates, one) for one in given_]
        assert all_call(exchanges, calls) == [joined(given_)] * 3
    for one in exchanges:
        one.close("test")


def test_large_data_goes_both_ways():
    exchanges = connected(2)
    numbers = np.random.RandomState(0).rand(10**6).tobytes()
    outcomes = all_call(exchanges, [("numbers", 0, numbers), ("numbers", 0, numbers)])
    assert outcomes == [numbers + b"|" + numbers] * 2


def test_a_long_name_is_the_same_call_on_all():
    calls = [("a call " * 20, 0, b"1"), ("a call " * 20, 0, b"2")]
    assert all_call(connected(2), calls) == [b"1|2"] * 2


@pytest.mark.parametrize("astray", range(3))
@pytest.mark.parametrize("call", [("other", 7, b""), ("a call", 6, b""), ("a call", 7, b"1")])
def test_a_worker_that_makes_another_call_is_named_on_all(astray, call):
    exchanges = connected(3)
    calls = [("a call", 7, b"")] * 3
    calls[astray] = call
    for outcome in all_call(exchanges, calls):
        assert "all workers of the KVStore must make the same calls" in outcome
        assert f"'{call[0]}' ({len(call[2])} bytes) after {call[1]} updates" in outcome
        assert "'a call' (0 bytes) after 7 updates" in outcome


@pytest.mark.parametrize("ended", [1, 2])
def test_a_worker_that_has_ended_is_noticed_while_another_is_waited_for(ended):
    exchanges = connected(3)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(exchanges[0].call, "a call", 3, b"", joined)
        exchanges[3 - ended].check(updates=3)  # it is slow, and makes no call for now
        exchanges[ended].close("test")
        assert f"worker {ended} of 3 has ended" in str(call.exception())
    with pytest.raises(WorkersLostError, match=f"worker {ended} of 3 has ended"):
        exchanges[3 - ended].check(updates=3)


def test_a_worker_that_was_interrupted_says_so():
    first, second = connected(2)
    interrupted = mock.Mock(side_effect=KeyboardInterrupt)
    with mock.patch.object(first, "_gathered", interrupted), pytest.raises(KeyboardInterrupt):
        first.call("a call", 0, b"", joined)
    for use in (lambda: first.call("a call", 0, b"", joined), lambda: first.check(1)):
        with pytest.raises(WorkersLostError, match="a call of worker 0 was interrupted"):
            use()
    with pytest.raises(WorkersLostError, match="worker 0 of 2 has ended"):
        second.call("a call", 0, b"", joined)


@pytest.mark.parametrize("ended", range(3))
def test_a_worker_that_has_ended_is_told_of_on_all(ended):
    exchanges = connected(3)
    exchanges[ended].close("test")
    left = [rank for rank in range(3) if rank != ended]

    def call(rank):
        return exchanges[left[rank]].call("a call", 0, b"", joined)

    outcomes = in_threads(2, call)
    assert all("must end together, but worker" in outcome for outcome in outcomes)
    assert f"worker {ended} of 3 has ended" in outcomes[0]


def test_a_worker_that_does_not_answer_in_time():
    first, second = connected(2, timeout=0.05)
    with pytest.raises(WorkersLostError, match=r"answer within 0\.05 s \(GLUON_LR_TIMEOUT\)"):
        second.call("a call", 0, b"", joined)
    with pytest.raises(WorkersLostError, match=r"worker 1 of 2 has ended"):
        for _ in range(3):  # what it gave to the first call has come
            first.call("a call", 0, b"", joined)


def test_after_an_error_in_a_call_no_answer_is_taken_for_that_to_another():
    exchanges = connected(2)

    def fails(given_):
        raise KeyError("on the first")

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(one.call, "a call", 0, b"", fails) for one in exchanges]
        errors = [one.exception() for one in calls]
    assert [type(one) for one in errors] == [KeyError, WorkersLostError]
    for one in exchanges:
        with pytest.raises(WorkersLostError):
            one.call("a call", 0, b"", joined)


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_worker_that_waits_for_gradients_learns_that_they_will_not_come(waiting):
    exchanges = connected(2)
    mine, other = exchanges[waiting], exchanges[1 - waiting]
    mine.check(updates=3)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(other.call, "the end of the program", 2, b"", joined)
        while not call.running():
            pass
        mine.check(updates=2)  # what it sends for these may still be on its way
        with pytest.raises(WorkersLostError, match=r"after 2 updates, while worker \d waits for"):
            for _ in range(10**6):
                mine.check(updates=3)
        mine.close("test")
        assert isinstance(call.exception(), WorkersLostError)


def test_a_worker_that_waits_for_gradients_learns_that_the_other_has_ended():
    for ended in (0, 1):
        exchanges = connected(2)
        exchanges[ended].close("test")
        with pytest.raises(WorkersLostError, match=f"worker {ended} of 2 has ended"):
            for _ in range(10**6):
                exchanges[1 - ended].check(updates=1)


def test_a_stranger_is_turned_away():
    strangers = []

    def knock(address):
        _, host, port = address.decode().split()
        for said in (b"", bytes(24), b"GET / HTTP/1.1\r\n\r\n" + bytes(8)):
            stranger = socket.create_connection((host, int(port)), PATIENCE)
            stranger.sendall(said)
            stranger.shutdown(socket.SHUT_WR)
            strangers.append(stranger)

    exchanges = connected(2, before=knock)
    assert all_call(exchanges, [("a call", 0, b"1"), ("a call", 0, b"2")]) == [b"1|2"] * 2
    for stranger in strangers:
        with stranger, contextlib.suppress(ConnectionResetError):
            assert not stranger.recv(1)


def test_a_stranger_that_shows_nothing_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(exchange, "_GREETING", 0.05)
    strangers = []

    def knock(address):
        _, host, port = address.decode().split()
        strangers.extend(socket.create_connection((host, int(port))) for _ in range(3))

    exchanges = connected(2, before=knock)
    assert all_call(exchanges, [("a call", 0, b"1"), ("a call", 0, b"2")]) == [b"1|2"] * 2
    for stranger in strangers:
        stranger.close()


TOWARDS = {
    "127.0.0.1": "127.0.0.1",
    "localhost": "127.0.0.1",
    "10.0.0.1": "10.0.0.2",
    "name-of-this-machine": "127.0.0.1",
    "192.0.2.1": "10.0.0.2",  # of no one, so by the usual way out
}


@pytest.mark.parametrize(
    ("scheduler", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.2"),
        ("name-of-this-machine", "10.0.0.2"),
    ],
)
def test_the_address_that_others_are_told(scheduler, host, monkeypatch):
    monkeypatch.setattr(exchange, "_host_towards", TOWARDS.get)
    assert exchange.own_host({"DMLC_PS_ROOT_URI": scheduler}) == host
    stated = {"DMLC_PS_ROOT_URI": scheduler, "DMLC_NODE_HOST": "10.1.2.3"}
    assert exchange.own_host(stated) == "10.1.2.3"


def test_without_a_scheduler_or_a_way_to_it_the_address_is_that_of_this_machine_alone():
    assert exchange.own_host({}) == "127.0.0.1"
    assert exchange.own_host({"DMLC_PS_ROOT_URI": "localhost.invalid"}) == "127.0.0.1"


def test_an_address_that_this_machine_does_not_have_is_told_all_the_same(monkeypatch):
    monkeypatch.setenv("DMLC_NODE_HOST", "203.0.113.7")
    with pytest.raises(WorkersLostError, match="worker 0 of 2 got no answer"):
        connect(0, 2, 0.05, lambda own: own)


def test_a_worker_that_never_comes():
    with pytest.raises(WorkersLostError, match=r"worker 0 of 2 got no answer"):
        connect(0, 2, 0.05, lambda own: own)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_holds_no_connection_of_a_worker_that_has_ended():
    first, second = connected(2)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writes)
        os.read(reads, 1)  # until the test is done with it
        os._exit(0)
    os.close(reads)
    try:
        second.close("test")
        with pytest.raises(WorkersLostError, match="worker 1 of 2 has ended"):
            first.call("a call", 0, b"", joined)
    finally:
        os.close(writes)
        os.waitpid(child, 0)


def test_the_listener_is_no_longer_there_when_all_have_come():
    addresses = []
    connected(2, before=addresses.append)
    _, host, port = addresses[0].decode().split()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), PATIENCE)


def test_an_exchange_says_to_which_worker_it_could_not_connect():
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    address = f"{bytes(16).hex()} {HOST} {port}".encode()
    with pytest.raises(WorkersLostError, match=rf"reach worker 0 at {HOST}:{port}"):
        connect(1, 2, 1, lambda own: address)
