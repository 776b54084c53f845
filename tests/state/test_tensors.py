"""Nested data in a safetensors file: it comes back bit by bit, or the file is refused."""

import hashlib
import json
import math
import os
import pickle
import stat
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from gluon_lr._mxnet import mx
from gluon_lr.state import tensors
from gluon_lr.state.tensors import load_data, save_data

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
PLAIN = [
    *("bool", "float16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
]
DATA = {
    "parameters": {
        "0.weight": [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((0, 4), np.int8)],
        "0.bias": [np.float64([math.nan, -0.0])],
    },
    "trainer": {"counts": {"0.weight": 3}, "rate": 0.1, "best": math.inf, "names": ["a", None]},
    "more": {"done": True, "a float": {"b": np.array(7, np.uint64)}},
}


def saved(data):
    save_data("run", data, "checkpoint")
    return Path("run").read_bytes()


def loaded(content):
    Path("other").write_bytes(content)
    return load_data("other", "checkpoint")


def assert_same(left, right):
    """Check that data is the same bit by bit, NaN too."""
    assert type(left) is type(right)
    if isinstance(left, np.ndarray):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes()
    elif isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right):
            assert_same(one, other)
    else:
        assert repr(left) == repr(right)


# -- what comes back ---------------------------------------------------------------------------


def test_data_comes_back():
    saved(DATA)
    assert_same(load_data(Path("run"), "checkpoint"), DATA)
    assert os.listdir() == ["run"]


@pytest.mark.parametrize("dtype", [*PLAIN, BFLOAT16], ids=str)
def test_arrays_of_each_type_and_shape_come_back(dtype):
    random = np.random.RandomState(0)
    bits = random.randint(0, 2 if dtype == "bool" else 256, (4, 6, 8)).astype(np.uint8)
    array = bits.view(dtype)
    arrays = [
        array,
        array[1, 2, 0:1].reshape(()),
        array[:, :0],
        array[::2, ::-1],
        array.T,
        np.asfortranarray(array),
        np.broadcast_to(array[0, 0, 0], (3, 2)),
    ]
    saved({"arrays": arrays})
    assert_same(load_data("run", "checkpoint"), {"arrays": arrays})


@pytest.mark.parametrize("dtype", [">f8", ">i2", ">u8"])
def test_arrays_of_the_other_byte_order_keep_their_values(dtype):
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    saved({"array": array})
    back = load_data("run", "checkpoint")["array"]
    assert back.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ((1, (2, [])), [1, [2, []]]),
        ({1: 0, False: 1, None: 2, 0.5: 3}, {"1": 0, "false": 1, "null": 2, "0.5": 3}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (
            [np.float32(0.1), np.int8(-3), np.bool_(True), np.float64("nan")],
            [0.10000000149011612, -3, True, math.nan],
        ),
        (["", "ü 人 \ud800", '"\\\n\0'], ["", "ü 人 \ud800", '"\\\n\0']),
        ([5e-324, -0.0, 1e308, 2**200, -math.inf], [5e-324, -0.0, 1e308, 2**200, -math.inf]),
    ],
    ids=["tuples", "keys", "a dict's kind", "NumPy's numbers", "strings", "numbers"],
)
def test_all_else_comes_back_as_json_has_it(value, back):
    saved({"more": value})
    assert_same(load_data("run", "checkpoint"), {"more": back})


def test_names_that_look_alike_are_told_apart():
    data = {
        "a/b": np.ones(1),
        "a": {"b": np.zeros(2), "b'": np.ones(3)},
        "__metadata__": np.ones(4),
        "": np.ones(5),
        "\ud800": np.ones(6),
        "\\ud800": np.ones(7),
        '","sha256":"': np.ones(8),
    }
    content = saved(data)
    assert_same(load_data("run", "checkpoint"), data)
    assert len(safetensors.numpy.load(content)) == 8


def test_the_library_of_safetensors_reads_it():
    content = saved(DATA)
    arrays = safetensors.numpy.load(content)
    assert_same(arrays["parameters/0.weight/0"], DATA["parameters"]["0.weight"][0])
    assert_same(arrays["parameters/0.weight/1"], DATA["parameters"]["0.weight"][1])
    assert_same(arrays["more/a float/b"], DATA["more"]["a float"]["b"])
    with safetensors.safe_open("run", framework="np") as file:
        metadata = file.metadata()
    assert metadata["format"] == "gluon_lr checkpoint 2"
    assert metadata["sha256"] == digest_of(metadata["state"], arrays)
    assert json.loads(metadata["state"])["trainer"]["best"] == {"__float__": "inf"}


def test_what_was_loaded_survives_a_new_file():
    saved({"a": np.ones(9)})
    back = load_data("run", "checkpoint")
    saved({"a": np.zeros(9)})
    np.testing.assert_array_equal(back["a"], np.ones(9))


def test_it_can_be_written_to_a_pipe():
    code = "import sys; sys.stdout.buffer.write(open('pipe', 'rb').read())"
    os.mkfifo("pipe")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as reader:
        save_data("pipe", DATA, "checkpoint")
        content = reader.stdout.read()
    assert_same(loaded(content), DATA)


def test_a_device_is_written_into_and_stays_one():
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        save_data("pipe", {"a": 1}, "checkpoint")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    full = pytest.raises(OSError, match="No space left on device")
    with full:
        save_data("/dev/full", DATA, "checkpoint")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


# -- what is not written -----------------------------------------------------------------------


class Exploding:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, "values that JSON can store, or NumPy arrays, got 'complex in more/a/1'"),
        (b"x", "got 'bytes in more/a/1'"),
        ({1}, "got 'set in more/a/1'"),
        (Exploding(), "got 'Exploding in more/a/1'"),
        (np.datetime64("2020-01-01"), "got 'datetime64 in more/a/1'"),
        (np.timedelta64(1), "got 'timedelta64 in more/a/1'"),
        (np.longdouble(1), "got 'longdouble in|got 'float128 in"),
        (np.complex64(1), "got 'complex64 in"),
        ({(1, 2): 3}, r"dicts with strings as keys, got '\(1, 2\) in more/a/1'"),
        (np.array(["x"]), "arrays of bool, integers or floats of at most 64 bits, got '<U1 in"),
        (np.array([Exploding()]), "got 'object in more/a/1'"),
        (np.array([1j]), "got 'complex128 in"),
        (np.ones(1, np.longdouble), "got 'float128 in|got '<f16 in"),
        (np.zeros(1, "M8[s]"), r"got 'datetime64\[s\] in"),
        (np.zeros(1, "V2"), r"got '\|V2 in"),
        (np.zeros(1, [("a", "f4")]), "at most 64 bits, got"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_a_file_cannot_hold_is_a_type_error(value, message):
    with pytest.raises(TypeError, match=r"^save_checkpoint: `more` must be .*" + message):
        saved({"more": {"a": [0, value]}})
    assert os.listdir() == []


@pytest.mark.parametrize("value", [{"__array__": "a"}, {"__float__": 1, "b": 2}, {1: 2, "1": 3}])
def test_keys_that_would_not_come_back_are_refused(value):
    with pytest.raises(
        ValueError, match=r"must be dicts without the keys '__array__'.*, got '\w+ in more/0'"
    ):
        saved({"more": [value]})
    assert os.listdir() == []


def test_data_without_end_is_refused():
    endless = []
    endless.append({"a": endless})
    with pytest.raises(ValueError, match="save_checkpoint: `more` must be less deeply nested"):
        saved({"more": endless})


def test_more_json_than_safetensors_reads_is_refused(monkeypatch):
    monkeypatch.setattr(tensors, "_LARGEST_HEADER", 1000)
    saved({"more": np.zeros(10000)})
    old = Path("run").read_bytes()
    with pytest.raises(
        ValueError, match=r"at most 1000 bytes of JSON.* Convert long lists of numb"
    ):
        saved({"more": [0] * 1000})
    assert Path("run").read_bytes() == old


# -- what is not read --------------------------------------------------------------------------


def test_what_is_no_file_of_ours_is_refused():
    foreign = safetensors.numpy.save({"a": np.ones(3)}, {"format": "pt"})
    mx.nd.save("params", {"a": mx.nd.ones(3)})
    contents = [
        b"",
        b"\0",
        foreign,
        Path("params").read_bytes(),
        pickle.dumps(Exploding()),
        b'{"a": 1}',
        b"\xff" * 1000,
    ]
    for content in contents:
        with pytest.raises(
            ValueError, match=r"^load: `path` must be a checkpoint of gluon_lr, got"
        ):
            loaded(content)
    assert "exploded" not in os.listdir()
    save_data("run", DATA, "history")
    with pytest.raises(ValueError, match=r"^load: `path` must be a checkpoint of gluon_lr, got"):
        load_data("run", "checkpoint")
    with pytest.raises(FileNotFoundError):
        load_data("nothing", "checkpoint")
    with pytest.raises(IsADirectoryError):
        load_data(".", "checkpoint")


def test_a_file_of_the_first_edition_is_told_from_others():
    message = r"of this version of gluon_lr, got 'other'\. Load it with the older gluon_lr that"
    with pytest.raises(ValueError, match=message):
        loaded(b"gluon_lr checkpoint 1\n" + bytes(100))


def test_a_file_cut_off_anywhere_is_refused():
    content = saved(DATA)
    header = int.from_bytes(content[:8], "little")
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"^load: `path` must be a checkpoint ") as caught:
            loaded(content[:length])
        if length > 8 + header:
            assert "is complete and unchanged, got 'other'. Use another copy: " in str(caught.value)
    with pytest.raises(ValueError, match="complete and unchanged"):
        loaded(content + b"\0")


def test_a_file_with_any_byte_changed_is_refused():
    content = bytearray(saved(DATA))
    for place in range(len(content)):
        content[place] ^= 1 << place % 8
        with pytest.raises(ValueError, match=r"^load: `path` must be a checkpoint "):
            loaded(content)
        content[place] ^= 1 << place % 8


def digest_of(state, arrays):
    """Return the digest that a file of these should have."""
    named = sorted(arrays.items())
    header = json.dumps([[name, array.dtype.str, array.shape] for name, array in named])
    content = b"".join(array.tobytes() for _, array in named)
    return hashlib.sha256(state.encode() + header.encode() + content).hexdigest()


def sealed(header, rest):
    """Put a file together from the text of its header, with the digest it should have."""
    content = len(header.encode()).to_bytes(8, "little") + header.encode() + rest
    try:
        metadata = json.loads(header)["__metadata__"]
        digest = digest_of(metadata["state"], safetensors.numpy.load(content))
    except Exception:  # noqa: BLE001 - then it is no file of safetensors, and has none
        return content
    return content.replace(metadata["sha256"].encode(), digest.encode(), 1)


def parts(content):
    start = 8 + int.from_bytes(content[:8], "little")
    return content[8:start].decode(), content[start:]


RAW = [  # texts of values; some are no JSON
    *("null", "true", "-1", "0", "1", "7", "0.5", "1e308", "1e999", "-0.0", '"x"', '""', "[]"),
    *("{}", "NaN", "Infinity", "-Infinity", "}", "[1,2", "[[[]]]", '{"a":1,"a":1}', "[0,0]"),
    *(
        "[-1,1]",
        "[-2,-3]",
        "[0,-1]",
        "[0,24]",
        "[1e308]",
        "[null]",
        "[true,true]",
        '["x"]',
        '"F32"',
        '"F8_E4M3"',
    ),
    *('{"__array__":"x"}', '{"__array__":[]}', '{"__float__":1}', '{"__float__":"1e5"}', '"U8"'),
    *("", str(2**63), str(2**64), "9" * 10000, f"[0,1{'0' * 99}]", str([1] * 33), f"[0,{2**99}]"),
    *("[" * 100000 + "]" * 100000, '{"a":' * 100000),
]


def changes_of(data):
    """Yield the JSON text of data with one value in it changed, for each value and change."""
    mark = "\0mark"
    for path in paths_of(data):
        changed = json.loads(json.dumps(data))
        owner = changed
        for key in path[:-1]:
            owner = owner[key]
        owner[path[-1]] = mark
        for raw in RAW:
            yield json.dumps(changed).replace(json.dumps(mark), raw)
        del owner[path[-1]]
        yield json.dumps(changed)


def paths_of(data, place=()):
    for key in data if isinstance(data, dict) else range(len(data)):
        yield (*place, key)
        if isinstance(data[key], (dict, list)):
            yield from paths_of(data[key], (*place, key))


def compact(data):
    return json.dumps(data, separators=(",", ":"))


def test_a_header_with_anything_changed_is_refused_unless_it_fits():
    text, rest = parts(saved(DATA))
    header = json.loads(text)
    metadata = header.pop("__metadata__")
    beginning = compact({"__metadata__": metadata})[:-1]
    refused = others = 0
    for changed in changes_of(header):
        try:
            data = loaded(sealed(f"{beginning},{changed[1:]}", rest))
        except ValueError as error:
            assert str(error).startswith("load: `path` must be a checkpoint ")
            assert len(str(error)) < 500
            refused += 1
        else:
            others += repr(data) != repr(DATA)
    assert refused > 500
    assert others < 40  # the same bytes, of another type or shape of that size


def test_a_state_with_anything_changed_is_refused_or_read():
    text, rest = parts(saved(DATA))
    header = json.loads(text)
    state = json.loads(header["__metadata__"]["state"])
    refused = read = 0
    for changed in changes_of(state):
        header["__metadata__"]["state"] = changed
        try:
            loaded(sealed(compact(header), rest))
            read += 1
        except ValueError as error:
            assert "The digest is correct, but its state cannot be read: " in str(error)
            assert len(str(error)) < 500
            refused += 1
    assert refused + read > 500
    assert min(refused, read) > 100


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("[]", "its state is not a JSON object"),
        ('{"a":NaN}', "its state .*NaN is not"),
        ("\ud7ff", "its state cannot be read"),
        (
            '{"a":{"__bfloat16__":"parameters/0.bias/0"}}',
            "its state .* of bfloat16 is stored as float64",
        ),
    ],
)
def test_a_forged_state_is_refused_with_the_place(state, message):
    text, rest = parts(saved(DATA))
    header = json.loads(text)
    header["__metadata__"]["state"] = state
    with pytest.raises(ValueError, match=f"The digest is correct, but {message}"):
        loaded(sealed(compact(header), rest))


def test_deep_data_comes_back():
    deep = []
    for _ in range(300):
        deep = [deep, {"a": 1}]
    saved({"more": deep})
    assert_same(load_data("run", "checkpoint"), {"more": deep})
