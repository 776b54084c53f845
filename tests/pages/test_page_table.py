"""Every name, parameter and default on the pages is here, or differs for a reason that is told."""

import functools

import pytest
from page_names import PAGES, examples, ours
from page_table import GUIDE, differences, of_page, row, written

NAMES = [name for names in PAGES.values() for name in names]
made = functools.lru_cache(maxsize=None)(examples)


def test_the_guides_tables_are_these():
    text = GUIDE.read_text(encoding="utf-8")
    assert written(text) == text, "run: python tests/pages/page_table.py"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.page)
def test_what_differs_has_a_reason_and_no_reason_is_old(name):
    assert ours(name.ours) is not None
    assert differences(name) == [key for key in name.differs if key != "name"]


@pytest.mark.parametrize("name", [one for one in NAMES if one.attributes], ids=lambda one: one.page)
def test_attributes_are_there(name):
    example = made()[name.ours]
    missing = [one for one in name.attributes.split() if not has(example, one)]
    assert missing == []


def has(example, attribute):
    try:
        getattr(example, attribute)
    except RuntimeError:  # before a fit, say, which it tells
        return True
    except AttributeError:
        return False
    return True


def test_a_page_is_read_as_python_reads_it():
    assert list(of_page("f(a, b=1, c='x')").items())[1:] == [("b", 1), ("c", "x")]
    assert of_page("Class") == {}
    assert "the same" in row(NAMES[-1]._replace(differs={}))
