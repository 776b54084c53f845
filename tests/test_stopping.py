import pytest

from gluon_lr import LRFinderStoppingCriteria


def run(losses, **settings):
    criterion = LRFinderStoppingCriteria(**settings)
    for n, loss in enumerate(losses, start=1):
        if criterion(loss):
            return n
    return None


def test_stops_where_the_smoothed_loss_has_doubled():
    assert run([1] * 30 + [2.9] * 3, smoothing=0.5) == 32  # 1.95, then 2.425


def test_without_smoothing_the_loss_itself_counts():
    assert run([1] * 30 + [2, 2.01], smoothing=0) == 32


def test_not_before_min_iter():
    assert run([1] + [9] * 50) == 20
    assert run([1] + [9] * 50, min_iter=5) == 5


def test_a_loss_that_falls_or_stays_goes_on():
    assert run([1 - n / 100 for n in range(99)]) is None
    assert run([1] * 100) is None


@pytest.mark.parametrize("first", [-3, -0.5])
def test_a_negative_first_loss_leaves_room_as_large_as_itself(first):
    assert run([first] * 50) is None
    assert run([first] * 50 + [0] * 50) is None
    assert run([first] * 50 + [abs(first)] * 50) is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"smoothing": 1}, r"`smoothing` .* and below 1, got 1"), ({"min_iter": 0}, "`min_iter`")],
)
def test_bad_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        LRFinderStoppingCriteria(**settings)
