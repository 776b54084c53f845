"""`typed_user.py`, and each Python block of the pages as a file of its own, pass `mypy --strict`.

`.ci/run` runs this. MXNet has no types: a class in a page that derives from one of its own derives
from Any, which a user of `--strict` has to allow. What else is without types is named in
pyproject.toml.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from blocks import PAGES, ROOT, blocks_of

MYPY = [sys.executable, "-m", "mypy", "--strict", "--allow-subclassing-any"]


def main() -> int:
    """Write the blocks into a folder, check all, and return mypy's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        files = [ROOT / "tests" / "typed_user.py"]
        for page in PAGES:
            place = "_".join(page.relative_to(ROOT).with_suffix("").parts)
            for number, code in enumerate(blocks_of(page), start=1):
                files.append(Path(folder, f"{place}_{number}.py"))
                files[-1].write_text(code, encoding="utf-8")
        return subprocess.call([*MYPY, "--follow-imports=silent", *files], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
