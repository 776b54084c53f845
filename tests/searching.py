"""Searches in a process of its own, and who interrupts them from another one."""

import collections
import os
import signal
import sys

_BEGUN, _UPDATED, _ENDED = b"begun\n", b"updated\n", b"ended\n"
UPDATES = 6
LONGEST_ROW = 3  # of signals


def interrupt(child, times, random):
    """Send `child` SIGINT while it searches, once or several times; return what came of it."""
    report = collections.Counter()
    for _ in range(times):
        child.stdin.write(b"search\n")
        child.stdin.flush()
        assert child.stdout.readline() == _BEGUN
        for _ in range(random.randint(UPDATES + 1)):
            assert child.stdout.readline() == _UPDATED
        for _ in range(random.randint(1, LONGEST_ROW + 1)):
            os.kill(child.pid, signal.SIGINT)
        child.stdin.write(b"compare\n")
        child.stdin.flush()
        line = _UPDATED
        while line in (_UPDATED, _ENDED):
            line = child.stdout.readline()
        report[line.decode().strip()] += 1
    return dict(report)


def main():
    from test_interrupts import assert_same, make, now

    from gluon_lr import LRFinder

    heard = []

    def note(number, frame):
        heard.append(number)

    def say(line):
        os.write(1, line)

    def updated(state):
        say(_UPDATED)
        return False

    def search(learner):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        say(_BEGUN)
        LRFinder(learner).find(
            lr_start=1e-3, lr_end=1, num_iter=UPDATES, stop=updated, progress=False
        )

    def hear_all(action, left=LONGEST_ROW):
        """Do `action`, then go on with `note`; a signal may come while another one is caught."""
        try:
            if left:
                hear_all(action, left - 1)
            else:
                action()
            if signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, note):
                say(b"another handler\n")
            signal.signal(signal.SIGINT, note)
        except KeyboardInterrupt:
            heard.append(signal.SIGINT)

    learner = make()
    learner.iteration()
    while sys.stdin.readline():
        before = now(learner)[0], now(learner)[1][:6]
        heard.clear()
        hear_all(lambda: search(learner))
        say(_ENDED)
        sys.stdin.readline()
        assert_same((now(learner)[0], now(learner)[1][:6]), before)
        say(b"interrupted\n" if heard else b"lost\n")


if __name__ == "__main__":
    main()
