"""The tutorials run from clean, their exercises too, and are committed as they ran."""

import re
import runpy
from pathlib import Path

import nbformat
import pytest

TUTORIALS = Path(__file__).parent.parent / "tutorials"
RUN = runpy.run_path(str(TUTORIALS / "run.py"))


@pytest.fixture(params=RUN["NOTEBOOKS"], ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def solution_of(notebook):
    (solution,) = re.findall(r"```python\n(.*?)```", notebook.cells[-1].source, re.DOTALL)
    return nbformat.v4.new_code_cell(solution)


def test_it_runs_and_so_does_the_solution_of_its_exercise(notebook, tmp_path):
    notebook.cells.append(solution_of(notebook))
    RUN["execute"](notebook, tmp_path)
    assert len(notebook.cells[-1].outputs) > 0


def test_it_is_committed_as_it_ran(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    texts = [output.get("text", "") for output in outputs]
    assert not re.search(r"/(home|root|tmp|usr|work)/", "".join(texts))


def test_it_opens_with_what_the_reader_will_be_able_to_do(notebook):
    assert "After this notebook you can\n\n- " in notebook.cells[0].source


def test_each_has_a_number():
    assert [path.name[0] for path in RUN["NOTEBOOKS"]] == list("1234567")
