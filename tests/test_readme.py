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
BLOCKS = blocks_of(README)


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
    path.write_text(BLOCKS[0])
    names = runpy.run_path(str(path))
    assert names["learner"].recorder.losses[-50:].mean() < 0.4
    assert "suggestion" in capsys.readouterr().out
    assert len([line for line in BLOCKS[0].splitlines() if line]) == 10


def test_shell_lines_run(capsys):
    lines = re.findall(r"^gluon-lr (?:plot|table) .*", TEXT, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0
    assert Path("rates.png").stat().st_size > 1000
    assert "iteration" in capsys.readouterr().out
    plt.close("all")


def test_the_finder_runs_from_the_shell(monkeypatch, capsys):
    (factory,) = (block for block in BLOCKS if "def make_learner" in block)
    Path("training.py").write_text(factory)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (line,) = re.findall(r"^gluon-lr find .*", TEXT, re.MULTILINE)
    assert main(shlex.split(line)[1:]) == 0
    assert "suggestion 0." in capsys.readouterr().out
    assert Path("curve.png").stat().st_size > 1000
    assert LRFinderResult.from_json(Path("found.json").read_text()).suggestion
    (line,) = re.findall(r"^gluon-lr compare .*", TEXT, re.MULTILINE)
    assert main(shlex.split(line)[1:]) == 0
    assert "mom 0.9" in capsys.readouterr().out
    sys.modules.pop("training")
    plt.close("all")


def script_for_machines():
    """Apply the README's difference to its script for one machine."""
    script = next(code for code in BLOCKS if "workers.is_first" in code)
    (diff,) = re.findall(r"^```diff\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len(diff.splitlines()) <= 3
    old, new = ("".join(re.findall(rf"^\{sign}(.*\n)", diff, re.MULTILINE)) for sign in "-+")
    assert script.count(old) == 1
    return script.replace(old, new)


def test_the_script_for_one_machine_trains_on_two_after_a_change_of_three_lines(tmp_path):
    Path("train.py").write_text(script_for_machines())
    (line,) = re.findall(r"^gluon-lr (launch .*) python train.py$", TEXT, re.MULTILINE)
    command = [sys.executable, "-m", "gluon_lr", *line.split(), sys.executable, "train.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Recorder(48 updates, 3 epochs)") == 1
    assert Path("run.checkpoint").exists()


def test_linked_files_are_there():
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (README.parent / link).exists(), link


def test_every_public_schedule_is_in_the_table():
    from gluon_lr import schedules

    for name in set(schedules.__all__) - {"Schedule", "schedule", "transfer"}:
        assert f"| `{name}(" in TEXT


def test_the_lines_for_machines_run_on_one(tmp_path):
    guide = (ROOT / "docs/guide/machines.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```bash\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
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
    commands = re.sub(r'"\$work/tools/bin/(\w+)"', r"\1", ci).splitlines()
    lines = re.findall(r"^(?:python -m sphinx|lychee) .*", page, re.MULTILINE)
    assert len(lines) == 2
    assert set(lines) <= set(commands)
