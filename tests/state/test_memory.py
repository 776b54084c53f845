"""What a data loader remembers: put back in this process, and written for another one."""

import functools
import json
import math
import pickle
import random
import sys
import threading
from collections import deque
from enum import Enum
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_lr._mxnet import mx, nd
from gluon_lr.state import plain
from gluon_lr.state.generators import GlobalState, put_state, state_of
from gluon_lr.state.holders import content_kept
from gluon_lr.state.memory import Memory

gluon = mx.gluon.data
global_random = None
global_count = 0


class Bag:
    """An object with the attributes it is given; `step` reads with them and changes them."""

    def __init__(self, step, **attributes):
        vars(self).update(attributes)
        self.step = step


def drawing(generator):
    """Return a function that draws from a generator, whatever its kind."""
    if isinstance(generator, np.random.Generator):
        return lambda: (generator.standard_normal(), int(generator.integers(9, dtype=np.uint32)))
    return lambda: (generator.gauss(0, 1) if hasattr(generator, "gauss") else generator.randn(),)


def holding(generator):
    return Bag(lambda bag: drawing(bag.generator)(), generator=generator)


class Seeded(random.Random):
    pass


GENERATORS = {
    "random": lambda: random.Random(3),
    "subclass": lambda: Seeded(3),
    "RandomState": lambda: np.random.RandomState(3),
    **{
        name: lambda name=name: np.random.Generator(getattr(np.random, name)(3))
        for name in ("PCG64", "MT19937", "Philox", "SFC64")
    },
}


def turn(items):
    """Move the first item of a list to its end, in place, and return it."""
    items.append(items.pop(0))
    return items[-1]


def in_closure():
    count, order = 0, [1, 2, 3]

    def step(bag):
        nonlocal count
        count += 1
        return count, turn(order)

    return Bag(step)


def in_nested_closure():
    def make():
        generator = random.Random(1)
        return lambda: generator.random()

    draw = make()
    return Bag(lambda bag: draw())


def in_decorator():
    def counted(function):
        count = 0

        @functools.wraps(function)
        def wrapper(bag):
            nonlocal count
            count += 1
            return count, function(bag)

        return wrapper

    order = [1, 2, 3]
    return Bag(counted(lambda bag: turn(order)))


def in_default():
    def step(bag, order=[1, 2, 3], *, last=[0]):  # noqa: B006
        last.append(turn(order))
        return len(last)

    return Bag(step)


def in_partial():
    def step(order, bag, generator):
        return turn(order), generator.random()

    return Bag(functools.partial(step, [1, 2, 3], generator=random.Random(1)))


class Method:
    def __init__(self):
        self.count = 0

    def step(self, bag):
        self.count += 1
        return self.count


class Slotted:
    __slots__ = ("__private", "generator", "unset")

    def __init__(self):
        self.__private = 0
        self.generator = random.Random(1)

    def step(self):
        self.__private += 1
        return self.__private, self.generator.random()


class Classy:
    generator = random.Random(1)

    @classmethod
    def step(cls):
        cls.count += 1
        cls.order = cls.order[::-1]
        return cls.count, cls.order, cls.generator.random()


class Derived(Classy):
    count = 0
    order = (1, 2)


def in_class():
    Derived.count, Derived.order, Classy.generator = 0, (1, 2), random.Random(1)
    return Derived()


def in_globals():
    def draw():
        global global_count
        global_count += 1
        return global_count, global_random.random()

    globals().update(global_count=0, global_random=random.Random(1))
    return Bag(lambda bag: draw())


class Noise(mx.gluon.Block):
    def __init__(self):
        super().__init__()
        self.generator, self.calls = np.random.RandomState(1), 0

    def forward(self, x):
        self.calls += 1
        return x + self.calls + self.generator.rand()


def numbers():
    return gluon.ArrayDataset(np.arange(10, dtype=np.float32), np.arange(10, dtype=np.float32))


def one_pass(loader):
    return [[part.asnumpy().tolist() for part in batch] for batch in loader]


def composed():
    data = gluon.SimpleDataset([nd.array([float(i)]) for i in range(3)])
    compose = gluon.vision.transforms.Compose([Noise(), Noise()])
    dataset = data.transform(compose)
    return Bag(lambda bag: [item.asnumpy().tolist() for item in dataset])


def transform_first():
    generator = random.Random(1)
    dataset = numbers().transform_first(lambda x: x + generator.random())
    return gluon.DataLoader(dataset, 3)


class Alternating(gluon.Sampler):
    def __init__(self):
        self.forward, self.epoch = True, 0

    def __iter__(self):
        self.forward, self.epoch = not self.forward, self.epoch + 1
        return iter(range(9, -1, -1) if self.forward else range(10))

    def __len__(self):
        return 10


class InPlace(Alternating):
    def __init__(self):
        self.order, self.array = list(range(10)), np.arange(10)
        self.generator = np.random.default_rng(1)

    def __iter__(self):
        turn(self.order)
        self.generator.shuffle(self.array)
        return (self.order[i] for i in self.array)


class Rebound(InPlace):
    def __iter__(self):
        self.order = self.order[1:] + self.order[:1]
        self.array = self.generator.permutation(len(self.array) - 1)
        return (self.order[i] for i in self.array)


class OwnBatches:
    def __init__(self):
        self.random, self.passes = random.Random(1), deque([0], maxlen=3)

    def __iter__(self):
        self.passes.append(len(self.passes))
        yield self.random.sample(range(10), 4)
        yield list(self.passes)

    def __len__(self):
        return 2


ROOTS = {
    **{name: lambda make=make: holding(make()) for name, make in GENERATORS.items()},
    "list": lambda: Bag(lambda bag: turn(bag.order), order=[1, 2.5, None, "a"]),
    "tuple": lambda: Bag(lambda bag: (turn(bag.pair[0]), drawing(bag.pair[1])()),
                         pair=([1, 2, 3], random.Random(1), np.arange(3))),
    "dict": lambda: Bag(lambda bag: (turn(bag.orders["a"]), turn(bag.mixed[1])),
                        orders={"a": [1, 2], 3: [4]}, mixed={1: [1, 2], "noise": nd.ones(2)}),
    "set": lambda: Bag(lambda bag: bag.left.pop() if bag.left else None, left={1, 2, 3, 4}),
    "deque": lambda: Bag(lambda bag: (bag.order.rotate(), list(bag.order)), order=deque(range(5))),
    "list of mixed": lambda: [Bag(lambda bag: turn(bag.order), order=[1, 2]), 3, np.arange(3)],
    "closure": in_closure,
    "nested closure": in_nested_closure,
    "decorator": in_decorator,
    "default": in_default,
    "partial": in_partial,
    "bound method": lambda: Bag(Method().step),
    "method of a generator": lambda: Bag(lambda bag: bag.draw(), draw=random.Random(1).random),
    "slots": Slotted,
    "class": in_class,
    "globals": in_globals,
    "compose": composed,
    "transform_first": transform_first,
    "rollover": lambda: gluon.DataLoader(numbers(), 3, last_batch="rollover"),
    "alternating": lambda: gluon.DataLoader(numbers(), 3, sampler=Alternating()),
    "in place": lambda: gluon.DataLoader(numbers(), 3, sampler=InPlace()),
    "rebound": lambda: gluon.DataLoader(numbers(), 3, sampler=Rebound()),
    "batch sampler": lambda: gluon.DataLoader(numbers(), batch_sampler=OwnBatches()),
}  # fmt: skip


def read(root, times=7):
    """Return what is read from a root next, as text."""
    if isinstance(root, list):
        return read(root[0], times)
    if isinstance(root, gluon.DataLoader):
        return str([one_pass(root) for _ in range(times)])
    steps = [root.step] * times
    return str([step(root) if isinstance(root, Bag) else step() for step in steps])


def through_a_file(data):
    """Write and read data as a checkpoint does: text, and arrays aside."""
    arrays = []

    def reference(array):
        assert type(array) is np.ndarray
        arrays.append(array.copy())
        return {"__array__": len(arrays) - 1}

    def resolve(value):
        return arrays[value["__array__"]] if value.keys() == {"__array__"} else value

    text = json.dumps(data, default=reference, allow_nan=False)
    return json.loads(text, object_hook=resolve)


def data_of(root):
    memory = Memory(root)
    return through_a_file([memory.generators(), memory.values()])


def put(root, data):
    memory = Memory(root)
    memory.check_generators(data[0])
    memory.check_values(data[1])
    memory.put_generators(data[0])
    memory.put_values(data[1])


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("name", ROOTS)
def test_what_is_remembered_is_put_back_in_this_process(name, before):
    root = ROOTS[name]()
    read(root, before)
    put_back = Memory(root).keep()
    expected = read(root)
    assert read(root) != expected
    for _ in range(2):
        put_back()
        assert read(root) == expected


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("name", ROOTS)
def test_what_is_remembered_is_put_back_as_data_into_one_made_alike(name, before):
    root = ROOTS[name]()
    read(root, before)
    data = data_of(root)
    expected = read(root)
    other = ROOTS[name]()
    put(other, data)
    assert str(data_of(other)) == str(data)
    assert read(other) == expected


def test_paths_say_where_something_was_reached():
    generator = random.Random(1)
    loader = gluon.DataLoader(
        numbers().transform_first(lambda x: x + generator.random()), 3, sampler=Alternating()
    )
    memory = Memory([loader, {"key": random.Random(2), "count": 3}])
    assert list(memory.generators()) == [
        "[1]['key']",
        "[0]._dataset._fn._fn.__closure__[generator]",
    ]
    assert memory.values()["[0]._batch_sampler._sampler.epoch"] == 0
    assert memory.values()["[1]['count']"] == 3


# -- in this process ---------------------------------------------------------------------------


def test_names_get_the_same_objects_again():
    order, gone = [1, 2], object()
    bag = Bag(None, order=order, gone=gone)
    put_back = Memory(bag).keep()
    del bag.gone
    bag.order, bag.new = [3], 4
    order.append(5)
    put_back()
    assert bag.order is order == [1, 2]
    assert bag.gone is gone
    assert not hasattr(bag, "new")


def test_empty_slots_and_cells_are_empty_again():
    def make():
        if bag.order is None:
            late = 3
        return lambda: late

    bag = Bag(None, order=[])
    bag.late = make()
    slotted = Slotted()
    put_back = Memory([slotted, bag]).keep()
    slotted.unset = 1
    bag.late.__closure__[0].cell_contents = 2
    put_back()
    assert not hasattr(slotted, "unset")
    with pytest.raises(NameError):
        bag.late()


class Watched(dict):
    written = ()

    def __setitem__(self, key, value):
        self.written += (key,)
        super().__setitem__(key, value)


def test_only_what_differs_is_assigned():
    items = Watched(a=object(), b=object(), c=object())
    put_back = content_kept(items)
    items["b"] = 1
    items.written = ()
    put_back()
    assert items.written == ("b",)


def test_items_come_back_in_their_order():
    items = {"a": 1, "b": 2}
    put_back = content_kept(items)
    items["a"] = items.pop("a")
    put_back()
    assert list(items) == ["a", "b"]


def test_containers_stay_the_same_with_all_their_items():
    things = [[3, object()], {"b": 1, "a": object()}, {1, "x"}, deque([1], 2), bytearray(b"ab")]
    things += [np.ones((2, 3)), {}, (np.zeros(2), [1])]
    texts = str(things)
    put_back = Memory(things).keep()
    same = list(things)
    things[0].clear()
    things[1]["b"] = things[1].pop("a")
    things[2].add(7)
    things[3].append(9)
    things[4] += b"cd"
    things[5].resize(7, refcheck=False)
    things[6]["new"] = 1
    things[7][0][:] = 5
    things[7][1][0] = 5
    things.reverse()
    put_back()
    assert str(things) == texts
    assert all(one is other for one, other in zip(things, same))


def test_an_iterator_over_a_list_goes_on_in_it():
    bag = Bag(None, order=[1, 2, 3])
    iterator = iter(bag.order)
    next(iterator)
    put_back = Memory(bag).keep()
    bag.order.reverse()
    put_back()
    assert list(iterator) == [2, 3]


@pytest.mark.parametrize("name", ["in place", "rebound", "globals", "class", "dict"])
def test_it_may_be_interrupted_and_done_again(name):
    for line in range(1, 60, 4):
        root = ROOTS[name]()
        put_back = Memory(root).keep()
        expected = read(root)
        interrupt_at(line, put_back)
        put_back()
        assert read(root) == expected


def interrupt_at(line, action):
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        if lines == line:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)


# -- what is walked ----------------------------------------------------------------------------


def test_the_walk_has_no_depth_and_no_circles():
    first = node = Bag(None, generator=random.Random(1))
    for _ in range(5000):
        node.next = Bag(None, first=first)
        node = node.next
    node.last = random.Random(2)
    node.circle = [node]
    node.circle.append(node.circle)
    memory = Memory(first)
    put_back = memory.keep()
    expected = node.last.random()
    put_back()
    assert node.last.random() == expected
    assert list(memory.generators()) == [".generator"]
    assert all(len(path) < 1100 for path in memory.values())


class Kind(Enum):
    ONE = 1


def test_what_belongs_to_others_is_left_alone():
    net = mx.gluon.nn.Dense(1)
    net.initialize()
    holders = [
        np.random,
        random.SystemRandom(),
        random._inst,
        np.random.mtrand._rand,
        mx.gluon.Parameter("weight", shape=(2,)),
        mx.gluon.Trainer(net.collect_params(), "sgd"),
        mx.optimizer.SGD(),
        nd.ones(2),
        threading.Event(),
        Kind.ONE,
        GlobalState.get,
    ]
    memory = Memory(Bag(None, holders=holders))
    assert memory.generators() == {}
    assert [path for path in memory.values() if "holders" in path] == []


def test_a_block_has_its_own_attributes_alone():
    block = Noise()
    assert list(Memory(block).values()) == [".calls"]


def test_of_a_library_only_generators_are_globals():
    library = ModuleType("library")
    library.__file__ = "/env/lib/site-packages/library.py"
    exec(
        "import random\nrng, count = random.Random(1), 1\ndef draw(x=3): return rng, count",
        vars(library),
    )
    memory = Memory(Bag(None, draw=library.draw))
    assert list(memory.generators()) == [".draw.__globals__['rng']"]
    assert list(memory.values()) == [".step"]


def test_what_is_large_is_data():
    bag = Bag(None)
    bag.orders = list(range(plain.LARGEST)), list(range(plain.LARGEST + 1))
    bag.small, bag.large = np.zeros(plain.LARGEST), np.zeros(plain.LARGEST + 1)
    bag.mixed = [nd.ones(1), *range(1000)]
    bag.generators = [random.Random(1) for _ in range(1001)]
    memory = Memory(bag)
    assert list(memory.values()) == [".step", ".small", ".orders[0]"]
    assert memory.generators() == {}
    put_back = memory.keep()
    bag.mixed.reverse()
    put_back()
    assert bag.mixed[1] == 0


# -- as data -----------------------------------------------------------------------------------

FLOATS = [math.nan, -math.nan, math.inf, -math.inf, -0.0, 5e-324]
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63), 2**2000])
    | st.floats()
    | st.sampled_from(FLOATS)
    | st.text()
    | st.sampled_from(
        [np.float32("nan"), np.bool_(True), np.int8(-3), np.float64(0.1), np.uint64(7)]
    )
    | st.sampled_from([np.longdouble(1) / 3, np.complex64(1j)])
)
KEYS = st.text() | st.integers()
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(st.integers() | st.tuples(st.integers(), st.text()))
        | st.builds(deque, st.lists(inner), st.none() | st.integers(0, 9))
    ),
)


def assert_alike(one, other):
    """Assert that two values are of the same kinds, and the same to the bit."""
    assert type(one) is type(other)
    if isinstance(one, (list, tuple, deque)):
        assert len(one) == len(other)
        assert getattr(one, "maxlen", None) == getattr(other, "maxlen", None)
        for part, its in zip(one, other):
            assert_alike(part, its)
    elif isinstance(one, dict):
        assert_alike(list(one), list(other))
        assert_alike(list(one.values()), list(other.values()))
    elif isinstance(one, (float, np.generic)):
        assert np.array(one).tobytes() == np.array(other).tobytes()
    else:
        assert one == other


@given(VALUES, VALUES)
@settings(max_examples=50, deadline=None)
def test_a_value_is_read_as_it_was_written(value, present):
    root, other = {"x": value}, {"x": present}
    data = data_of([root])
    put([other], data)
    assert_alike(other["x"], value)


@given(VALUES)
@settings(max_examples=30, deadline=None)
def test_a_value_written_does_not_change_later(value):
    bag = Bag(None, value=value, array=np.zeros(2))
    values = Memory(bag).values()
    text = str(values)
    bag.array[:] = 1
    if isinstance(value, (list, deque)):
        value.append(1)
    assert str(values) == text


@pytest.mark.parametrize("depth", [48, 49, 50, 300])
def test_a_deep_value_is_written_or_left_out(depth):
    value = [1]
    for _ in range(depth):
        value = [value]
    bag = Bag(None, value=value)
    put(bag, data_of(bag))
    assert bag.value is value


def test_a_container_of_two_names_stays_one():
    def make():
        order = [1, 2]
        return Bag(None, one=order, other=order, parts=[order, [3]])

    bag = make()
    bag.one.append(3)
    other = make()
    put(other, data_of(bag))
    assert other.one is other.other is other.parts[0]
    assert other.one == [1, 2, 3]


def test_two_names_of_one_container_may_part():
    def make():
        order = [1, 2]
        return Bag(None, one=order, other=order)

    bag = make()
    bag.other = [3]
    other = make()
    put(other, data_of(bag))
    assert (other.one, other.other) == ([1, 2], [3])


def test_arrays_take_values_in_place_where_they_fit():
    shapes = {"same": (3,), "shape": (2,), "kind": (3,)}
    first = Bag(None, **{name: np.ones(3, np.float32) for name in shapes})
    second = Bag(None, **{name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    second.kind = np.zeros(3, np.float64)
    before = dict(vars(second))
    put(second, data_of(first))
    assert [name for name in shapes if before[name] is vars(second)[name]] == ["same"]
    for name in shapes:
        assert vars(second)[name].dtype == np.float32
        assert vars(second)[name].tolist() == [1, 1, 1]


def test_what_only_one_side_knows_is_left_alone():
    first = Bag(None, inner=Bag(None, one=1), both=2, generator=random.Random(1))
    second = Bag(None, both=3, other=4, random=random.Random(2))
    expected = random.Random(2).random()
    put(second, data_of(first))
    assert (second.both, second.other) == (2, 4)
    assert not hasattr(second, "inner")
    assert not hasattr(second, "generator")
    assert second.random.random() == expected


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_that_is_made_late_is_made_from_its_state(name):
    first, second = holding(GENERATORS[name]()), holding(None)
    read(first)
    put(second, data_of(first))
    assert read(second) == read(first)


def test_an_attribute_that_is_made_late_is_made_from_its_value():
    first, second = Bag(None, late=None, order=[1]), Bag(None)
    put(second, data_of(first))
    assert (second.late, second.order) == (None, [1])
    Memory(second).remove([".order"])
    assert not hasattr(second, "order")


# -- garbage -----------------------------------------------------------------------------------

GARBAGE = [None, True, -1, 3, 2**200, math.nan, "x", "f", [], [[]], {}, {"x": 1}, {"tuple": 3}]
GARBAGE += [{"set": [[1]]}, {"deque": [[1], -1]}, {"deque": [[], 2**70]}, {"scalar": ["O", ""]}]
GARBAGE += [{"scalar": ["<f8", "00"]}, {"dict": [[None], [1]]}, {"float": "0"}, {"int": 3}]
GARBAGE += [np.zeros(3), np.zeros(624, np.int64), np.array([None]), b"x", object()]


def rich():
    """Return an object with a value of each kind, and a generator of each."""
    return Bag(
        None,
        values=[1, 2.5, math.nan, None, "a", (1, [2]), {3: deque([1], 2)}, {4}, 2**70],
        scalar=np.float32(1),
        array=np.arange(3),
        fixed=([1], {"a": 1}, deque([1], 3), object()),
        generators=[GENERATORS[name]() for name in ("random", "RandomState", "PCG64", "Philox")],
    )


def mutations(data):
    """Yield the data with one place after the other exchanged for garbage, or left out."""
    if not isinstance(data, (dict, list)):
        return
    for key in data if isinstance(data, dict) else range(len(data)):
        for one in GARBAGE:
            changed = data.copy()
            changed[key] = one
            yield changed
        shorter = data.copy()
        del shorter[key]
        yield shorter
        for inner in mutations(data[key]):
            changed = data.copy()
            changed[key] = inner
            yield changed


@pytest.mark.parametrize("kind", ["generators", "values"])
def test_garbage_is_a_value_error_or_whole(kind):
    data = getattr(Memory(rich()), kind)()
    target, before, refused = Memory(rich()), None, 0
    for changed in [*mutations(data), *GARBAGE]:
        before = before or all_of(target)
        try:
            getattr(target, f"put_{kind}")(changed)
        except ValueError as error:
            assert str(error).startswith("Memory: `")
            with pytest.raises(ValueError, match="Memory: `"):
                getattr(target, f"check_{kind}")(changed)
            assert all_of(target) == before
            refused += 1
        else:
            getattr(target, f"check_{kind}")(changed)
            target, before = Memory(rich()), None
    assert refused > 200


def all_of(memory):
    return pickle.dumps([memory.generators(), memory.values()])


def test_an_error_names_the_path():
    memory = Memory(rich())
    with pytest.raises(ValueError, match=r"a RandomState at '.generators\[1\]'"):
        memory.put_generators({".generators[1]": state_of(random.Random(1))})
    with pytest.raises(ValueError, match=r"an encoded value at '.array', got <class 'bytes'>"):
        memory.put_values({".scalar": 1, ".array": b"x"})
    with pytest.raises(ValueError, match=r"a list at '.fixed\[0\]', got <class 'int'>"):
        memory.put_values({".scalar": 1, ".fixed[0]": 3})


@pytest.mark.parametrize("name", GENERATORS)
def test_a_state_is_of_its_own_kind_of_generator(name):
    state = state_of(GENERATORS[name]())
    for other, make in GENERATORS.items():
        if {name, other} <= {"random", "subclass"} or name == other:
            put_state(make(), state)
        else:
            with pytest.raises(ValueError, match="the state of a generator of"):
                put_state(make(), state)
