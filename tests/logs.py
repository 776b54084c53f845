"""What the loggers have written."""

import csv
from pathlib import Path


def rows(path="log.csv"):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def points(directory="tb"):
    """Return what TensorBoard would show: for each name its values by their steps."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(Path(directory).glob("*tfevents*"), key=str):
        content, start = path.read_bytes(), 0
        while start < len(content):
            length = int.from_bytes(content[start : start + 8], "little")
            event = Event.FromString(content[start + 12 : start + 12 + length])
            start += length + 16
            if event.session_log.status == 1:  # it starts again at a step
                for values in found.values():
                    for step in [step for step in values if step >= event.step]:
                        del values[step]
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found
