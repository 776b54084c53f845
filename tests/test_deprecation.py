"""What is deprecated works, and warns at the line of the user."""

import inspect

import pytest

from gluon_lr._deprecation import warn_deprecated


def find(smooth=None):
    if smooth is not None:
        warn_deprecated("find: `smooth`", "`smoothing`", removed_in="0.3")
    return smooth


def test_the_warning_names_the_line_of_the_caller_and_what_to_write():
    message = "find: `smooth` is deprecated and will be removed in gluon_lr 0.3. Use `smoothing`."
    with pytest.warns(DeprecationWarning) as caught:
        line = inspect.currentframe().f_lineno + 1
        assert find(smooth=0.3) == 0.3
    (warning,) = caught
    assert str(warning.message) == message
    assert (warning.filename, warning.lineno) == (__file__, line)


def test_what_is_not_deprecated_does_not_warn(recwarn):
    find()
    assert not recwarn.list
