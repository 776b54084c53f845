"""Run the command line: `python -m gluon_lr` is the same as `gluon-lr`."""

import sys

from .cli import main

sys.exit(main())
