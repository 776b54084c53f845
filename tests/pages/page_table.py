"""The guide's tables of the pages' names: `python tests/pages/page_table.py` writes them."""

import ast
import inspect
from pathlib import Path

from declined import DECLINED
from declined_finder import DECLINED_OF_FINDERS
from page_names import PAGES, ours

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "pages.md"
BEGIN, END = "<!-- begin of what a test wrote -->\n", "<!-- end of what a test wrote -->\n"


def of_page(text):
    """Return the parameters of a signature on a page, in order: their defaults by name."""
    if "(" not in text:
        return {}
    inside = text[text.index("(") + 1 : -1].replace("..., ", "")
    arguments = ast.parse(f"def f({inside}): pass").body[0].args
    bare = len(arguments.args) - len(arguments.defaults)
    defaults = [inspect.Parameter.empty] * bare + [_value(one) for one in arguments.defaults]
    return dict(zip((one.arg for one in arguments.args), defaults))


def _value(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return node


def of_ours(name):
    """Return the parameters of a name of ours, without `self`."""
    parameters = inspect.signature(ours(name)).parameters
    return {key: one for key, one in parameters.items() if key != "self"}


def differences(name):
    """Return the parameters of a page that are not so here."""
    found = []
    parameters = of_ours(name.ours) if "(" in name.page else {}
    positional = [key for key, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    for place, (key, default) in enumerate(of_page(name.page).items()):
        own = parameters.get(key)
        in_place = "..." in name.page or positional[place : place + 1] == [key]
        same = own is not None and default in (inspect.Parameter.empty, own.default)
        if not (in_place and same):
            found.append(key)
    return found


def row(name):
    differs = [f"`{key}`: {why}" if key != "name" else why for key, why in name.differs.items()]
    attributes = [f"`{one}`" for one in name.attributes.split()]
    notes = [f"attributes {', '.join(attributes)}"] if attributes else []
    text = "; ".join(differs) or "the same"
    here = f"`{name.ours}`"
    return f"| `{name.page}` | {here} | {'; '.join([text, *notes])} |"


def table():
    lines = []
    for title, names in PAGES.items():
        lines += [f"### {title}", "", "| there | here | differs |", "| --- | --- | --- |"]
        lines += [*map(row, names), ""]
    lines += ["### What is left out", "", "| idea | why |", "| --- | --- |"]
    lines += [f"| {idea} | {why} |" for idea, why in {**DECLINED, **DECLINED_OF_FINDERS}.items()]
    return "\n".join(lines) + "\n\n"


def written(text):
    """Return the guide's page with the tables as they are now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    GUIDE.write_text(written(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
