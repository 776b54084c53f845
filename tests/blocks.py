"""The Python blocks of the README and of the other pages."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
OTHERS = ["CONTRIBUTING.md", "benchmarks/*.md", "docs/guide/*.md"]
PAGES = [README, *(page for pattern in OTHERS for page in sorted(ROOT.glob(pattern)))]


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
