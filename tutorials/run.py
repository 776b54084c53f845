"""Run the tutorials from clean and keep what they show: `python tutorials/run.py [FILE ...]`."""

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells in a new kernel that works in `folder`, and keep their outputs."""
    resources = {"metadata": {"path": str(folder)}}
    options = {"timeout": 300, "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources=resources, **options).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not is_progress(output)]


def is_progress(output: nbformat.NotebookNode) -> bool:
    """Say whether an output is a progress bar: those of notebooks, or those of terminals."""
    widget = "application/vnd.jupyter.widget-view+json"
    return widget in output.get("data", {}) or output.get("name") == "stderr"


def main() -> None:
    """Run some of the notebooks, or all, and write them back."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0] + ".")
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS)
    for path in parser.parse_args().notebooks:
        notebook = nbformat.read(path, as_version=4)
        execute(notebook, path.parent)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
