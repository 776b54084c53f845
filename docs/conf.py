"""The site: README.md as its home page, guide, tutorials, gallery and reference.

The source directory is the repository's root, so that README.md, CONTRIBUTING.md, the notebooks
and their links to one another are read where they are, and mean what they mean on GitHub.
"""

import fnmatch
import itertools
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # gallery.py and reference.py

import gluon_lr

GUIDE = [  # in the order of use
    "install",
    "schedules",
    "finder",
    "compare",
    "training",
    "steps",
    "callbacks",
    "checkpoints",
    "machines",
    "shell",
    "elsewhere",
    "pages",
    "peers",
    "limits",
]
PARTS = {
    "Guide": [f"docs/guide/{page}" for page in GUIDE],
    "Tutorials": ["tutorials/*"],
    "Reference": ["docs/gallery", "docs/reference/index"],
    "Project": ["benchmarks/README", "CONTRIBUTING", "CHANGELOG"],
}
TOCTREE = """
```{{toctree}}
:hidden:
:caption: {caption}

{pages}
```
"""

project = "gluon_lr"
version = release = gluon_lr.__version__
html_title = f"gluon_lr {version}"
html_theme = "furo"
html_theme_options = {"light_css_variables": {"code-font-size": "0.75rem"}}  # 90 columns fit
html_static_path = ["static"]
html_css_files = ["gallery.css"]
html_extra_path = ["site"]  # index.html, which leads to the home page
html_show_copyright = False

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "gallery",
    "reference",
]
root_doc = "README"
include_patterns = [
    "README.md",
    "docs/reference/*.rst",
    *(f"{page}.*" for pages in PARTS.values() for page in pages),
]
exclude_patterns = [".*", "docs/_build"]

nb_execution_mode = "off"
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
myst_heading_anchors = 4

default_role = "code"
python_maximum_signature_line_length = 80
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,  # the values of an Enum
    "ignore-module-all": True,
    "show-inheritance": True,
    # what a Learner has of an IterationLearner; not what all schedules have, or errors, or Blocks
    "inherited-members": "LRScheduler, Schedule, BoundedSchedule, DecaySchedule, Modifier, "
    "BaseException, tuple, Enum, Sequence, EventHandler, Block, HybridBlock, Loss",
}
napoleon_google_docstring = False
napoleon_use_param = False  # types are words: "sequence of three floats"
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]

# without the network there are no inventories of other projects' pages
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(abc|mxnet|numpy|enum|os|pathlib|socket|types)\..*|.*\._\w+"),
    ("py:.*", "Axes|Figure|LRCallable|frame"),
    ("py:class", r".*\.(Drawn|Function|Result|Self)"),  # variables of types
    ("py:exc", r"\w+Error, .*"),
]


def add_contents(app, docname, source):
    """Give the home page, which is README.md, the site's table of contents."""
    if docname != root_doc:
        return
    for caption, patterns in PARTS.items():
        found = (sorted(fnmatch.filter(app.env.found_docs, pattern)) for pattern in patterns)
        pages = "\n".join(itertools.chain(*found))
        source[0] += TOCTREE.format(caption=caption, pages=pages) if pages else ""


def add_download(app, docname, source):
    """Give the page of each notebook a link to the notebook, below its title."""
    if not docname.startswith("tutorials/"):
        return
    notebook = json.loads(source[0])
    link = f"{{download}}`Download this notebook <{docname.split('/')[1]}.ipynb>`"
    cell = {"id": "download", "cell_type": "markdown", "metadata": {}, "source": link}
    notebook["cells"].insert(1, cell)
    source[0] = json.dumps(notebook)


def collapse_side_bar(app, page, template, context, doctree):
    """Show in the side bar what is beside a page, as the whole tree makes each page larger."""
    whole = context.get("toctree")
    if whole is not None:
        context["toctree"] = lambda **options: whole(**{**options, "collapse": True})


def setup(app):
    """Connect this file's functions to Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("source-read", add_download)
    app.connect("html-page-context", collapse_side_bar, priority=400)  # the theme's is 500
