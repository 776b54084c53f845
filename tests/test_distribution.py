"""What an index shows of the package, and a citation."""

import re
import runpy
import sys
from unittest import mock

import pytest
from blocks import README, ROOT

import gluon_lr


@pytest.fixture
def setuptools(monkeypatch):
    monkeypatch.setitem(sys.modules, "setuptools", mock.Mock())
    return sys.modules["setuptools"]


@pytest.fixture
def script(setuptools):
    return runpy.run_path(str(ROOT / "setup.py"))


def links_of(text):
    return re.findall(r"(!?)\[([^]]+)\]\(([^)]+)\)", text)


def test_without_an_address_the_description_has_the_texts_of_links(script):
    readme, text = README.read_text(encoding="utf-8"), script["long_description"]()
    assert script["ADDRESS"] == ""
    assert links_of(text) == []
    assert all(name in text for picture, name, _ in links_of(readme) if not picture)


def test_with_an_address_every_link_of_the_description_is_absolute(script):
    address = "https://example.org/gluon_lr/blob/main/"
    function = script["long_description"]
    function.__globals__["ADDRESS"] = address
    readme, links = README.read_text(encoding="utf-8"), links_of(function())
    assert len(links) == len(links_of(readme))
    assert ("!", f"{address}docs/finder.png?raw=true") in [(mark, to) for mark, _, to in links]
    assert all(to.startswith("https://") for _, _, to in links)


def test_the_index_is_told_who_and_under_which_licence(setuptools, script):
    (_, told) = setuptools.setup.call_args
    assert told["author"] == "The gluon_lr authors"
    assert told["license_expression"] == "Apache-2.0"
    assert "mxnet" in told["keywords"]


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {gluon_lr.__version__}\n" in citation
