"""The code of the README, and of the other pages, runs as it stands, each block on its own."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from blocks import PAGES, README, ROOT, blocks_of

from gluon_lr import LRFinderResult
from gluon_lr.cli import main
from gluon_lr.distributed import launch

TEXT = README.read_text(encoding="utf-8")
GUIDE = ROOT / "docs" / "guide"


def text_of(page):
    return (GUIDE / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, code in enumerate(blocks_of(page), start=1)
    ],
)
def test_python_blocks_run(code, tmp_path):
    path = tmp_path / "block.py"
    path.write_text(code)
    runpy.run_path(str(path), run_name="__main__")
    plt.close("all")


def test_the_first_block_has_ten_lines_and_learns(tmp_path, capsys):
    path = tmp_path / "block.py"
    path.write_text(blocks_of(README)[0])
    names = runpy.run_path(str(path))
    assert names["learner"].recorder.losses[-50:].mean() < 0.4
    assert "suggestion" in capsys.readouterr().out
    assert len([line for line in path.read_text().splitlines() if line]) == 10


def test_the_readme_is_short():
    assert 10_000 <= len(TEXT.encode()) <= 12_000


def test_the_guide_on_the_site_has_every_page():
    pages = runpy.run_path(str(ROOT / "docs" / "conf.py"))["GUIDE"]
    assert sorted(pages) == sorted(page.stem for page in GUIDE.glob("*.md"))


SHELL_LINES = [
    pytest.param(line, id=f"{page.stem}-{line.split()[1]}-{number}")
    for page in PAGES
    for number, line in enumerate(
        re.findall(r"^gluon-lr (?!demo|launch).*", page.read_text(encoding="utf-8"), re.MULTILINE)
    )
]


@pytest.mark.parametrize("line", SHELL_LINES)
def test_shell_lines_run(line, monkeypatch, capsys):
    (factory,) = (one for one in blocks_of(GUIDE / "finder.md") if "def make_learner" in one)
    Path("training.py").write_text(factory)
    monkeypatch.setattr(sys, "path", list(sys.path))
    arguments = shlex.split(line)[1:]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "suggested rate: 0." in printed if " find " in line else printed.strip()
    for argument in arguments:
        if argument.endswith(".json"):
            assert LRFinderResult.from_json(Path(argument).read_text()).suggestion
        elif argument.endswith(".png"):
            assert Path(argument).stat().st_size > 1000
    sys.modules.pop("training", None)
    plt.close("all")


def test_the_pages_have_shell_lines_of_each_command():
    named = {line.values[0].split()[1] for line in SHELL_LINES}
    assert named >= {"find", "compare", "plot", "table"}


def script_for_machines():
    """Apply the guide's difference to its script for one machine."""
    page = GUIDE / "machines.md"
    script = next(code for code in blocks_of(page) if "workers.is_first" in code)
    (diff,) = re.findall(r"^```diff\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    assert len(diff.splitlines()) <= 3
    old, new = ("".join(re.findall(rf"^\{sign}(.*\n)", diff, re.MULTILINE)) for sign in "-+")
    assert script.count(old) == 1
    return script.replace(old, new)


def test_the_script_for_one_machine_trains_on_two_after_a_change_of_three_lines(tmp_path):
    Path("train.py").write_text(script_for_machines())
    (line,) = re.findall(
        r"^gluon-lr (launch .*) python train.py$", text_of("machines.md"), re.MULTILINE
    )
    command = [sys.executable, "-m", "gluon_lr", *line.split(), sys.executable, "train.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Recorder(48 updates, 3 epochs)") == 1
    assert Path("run.checkpoint").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_files_are_there(page):
    for link in re.findall(r"\]\((?!http|#)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_every_public_schedule_is_in_the_table():
    from gluon_lr import schedules

    for name in set(schedules.__all__) - {"Schedule", "schedule", "transfer"}:
        assert f"| `{name}(" in TEXT


def test_the_lines_for_machines_run_on_one(tmp_path):
    blocks = re.findall(r"^```bash\n(.*?)^```", text_of("machines.md"), re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if "DMLC_ROLE" in block)
    worker = next(line.split("#")[0] for line in block.splitlines() if "=worker" in line)
    lines = block.replace("10.0.0.1", "127.0.0.1").replace("9000", str(launch._free_port()))
    Path("train.py").write_text(script_for_machines())
    Path("both.sh").write_text(f"set -e\n{lines.replace(worker, f'{worker} & {worker}')}\nwait\n")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["timeout", "150", "bash", "both.sh"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Recorder(48 updates, 3 epochs)") == 1


def test_the_site_is_built_in_ci_as_contributing_says():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [
        line.strip() for line in re.sub(r'"\$work/tools/bin/(\w+)"', r"\1", ci).splitlines()
    ]
    lines = re.findall(r"^(?:python -m sphinx|lychee) .*", page, re.MULTILINE)
    assert len(lines) == 2
    assert set(lines) <= set(commands)
