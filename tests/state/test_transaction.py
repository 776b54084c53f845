"""What a block changes is put back, wherever Ctrl-C or an exception comes."""

import contextlib
import signal
import sys
import threading

import pytest

from gluon_lr._interrupts import uninterrupted
from gluon_lr.state.transaction import Kept, Together, Transaction, afterwards, backstop


class Light:
    on = False


class Lit(Kept):
    """A block in which a light is on."""

    def __init__(self, light):
        super().__init__(light, "on")

    def begin(self):
        self._owner.on = True


def press():
    signal.raise_signal(signal.SIGINT)


def at_line(number, action, body):
    """Do `action` at the `number`-th line that `body` runs; return how many lines there are."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == number:
                sys.settrace(None)
                action()
        return trace

    sys.settrace(trace)
    try:
        body()
    finally:
        sys.settrace(None)
    return lines


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("action", [press, interrupt])
def test_wherever_ctrl_c_comes_all_is_put_back(action):
    lights = Light(), Light()

    def body():
        lit = Together(*map(Lit, lights))
        with lit as again, again:
            assert all(light.on for light in lights)

    lines = at_line(0, action, body)
    assert lines > 30
    for number in range(1, lines + 1):
        with pytest.raises(KeyboardInterrupt):
            at_line(number, action, body)
        assert not any(light.on for light in lights)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_it_is_put_back_waits_however_often_it_is_pressed():
    done = []

    def put_back():
        press()
        press()
        done.append(True)

    with pytest.raises(KeyboardInterrupt), afterwards(put_back):
        pass
    assert done == [True]


def test_ctrl_c_waits_until_a_block_has_begun_however_often_it_is_pressed():
    done = []

    class Begun(Transaction):
        def begin(self):
            press()
            press()
            done.append("begun")

        def put_back(self):
            done.append("put back")

    with pytest.raises(KeyboardInterrupt), Begun():
        done.append("the block")
    assert done == ["begun", "put back"]


def test_ctrl_c_that_python_would_drop_comes_when_all_is_put_back():
    class Deleted:
        def __del__(self):
            press()

    done = []
    with pytest.raises(KeyboardInterrupt), afterwards(int):
        Deleted()
        done.append("the block")
    assert done == ["the block"]


def test_ctrl_c_is_not_lost_where_putting_back_fails():
    def put_back():
        press()
        raise OSError("on purpose")

    with pytest.raises(KeyboardInterrupt) as raised, afterwards(put_back):
        pass
    assert isinstance(raised.value.__context__, OSError)


def test_within_another_block_it_is_raised_as_soon_as_all_of_the_inner_is_put_back():
    reached = []
    light = Light()
    with pytest.raises(KeyboardInterrupt), Lit(light):
        with afterwards(press):
            pass
        reached.append("after the inner block")
    assert reached == []
    assert not light.on


def test_an_exception_from_the_start_of_a_block_puts_back_too():
    class Failing(Lit):
        def begin(self):
            super().begin()
            raise OSError("on purpose")

    light = Light()
    with pytest.raises(OSError, match="on purpose"), Failing(light):
        raise AssertionError("the block must not run")
    assert not light.on


def test_what_fails_to_be_put_back_says_so():
    def put_back():
        raise OSError("on purpose")

    with pytest.raises(OSError, match="on purpose"), afterwards(put_back):
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_backstop_is_for_blocks_that_can_be_entered_twice():
    block, other = afterwards(int), contextlib.nullcontext()
    assert backstop(block) is block
    assert backstop(other) is not other


@pytest.mark.parametrize("presses", [1, 2])
def test_what_is_not_interrupted_ends_but_for_a_second_press(presses):
    done = []

    @uninterrupted
    def update():
        for _ in range(presses):
            press()
        done.append(True)

    with pytest.raises(KeyboardInterrupt):
        update()
    assert done == [True] * (presses == 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_press_that_is_dropped_comes_at_the_end():
    done = []

    @uninterrupted
    def update():
        with contextlib.suppress(KeyboardInterrupt):  # as a callback from C does
            press()
            press()
        done.append(True)

    with pytest.raises(KeyboardInterrupt):
        update()
    assert done == [True]


def test_a_press_that_was_held_is_not_heard_again_later():
    @uninterrupted
    def pressed():
        press()

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            pressed()
    with afterwards(int):
        pass


def test_a_handler_of_the_programs_own_stays():
    heard = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with afterwards(press):
            press()
    finally:
        own = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT] * 2
    assert own is not signal.default_int_handler


def test_in_another_thread_it_leaves_the_signal_alone():
    light, handlers = Light(), []

    def run():
        with Lit(light):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
    assert not light.on


def test_it_has_to_say_what_is_put_back():
    undefined = pytest.raises(NotImplementedError, match=r"Transaction must define put_back\(\)")
    with undefined, Transaction():
        pass
