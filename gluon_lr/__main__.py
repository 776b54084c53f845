"""`python -m gluon_lr` is `gluon-lr`."""

import sys

from .cli import main

sys.exit(main())
