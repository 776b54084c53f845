"""Commands in processes of their own, which end in time."""

import os
import subprocess
import sys

from together import LONGEST

LAUNCH = [sys.executable, "-m", "gluon_lr", "launch", "-n", "2", "--"]


def run(command, **variables):
    environment = {**os.environ, **variables}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        output, _ = process.communicate(timeout=LONGEST)
    finally:
        process.kill()  # and its watcher its children
    return process.returncode, output
