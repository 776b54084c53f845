"""A batch of any structure, cut into parts of its samples."""

import dataclasses

import numpy as np
import pytest
from conftest import ONE, TWO
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_lr._mxnet import mx, nd
from gluon_lr.data.batch_split import BatchSplit
from gluon_lr.data.structure import arrays_in, inputs_and_labels, mapped

FOUR = [mx.cpu(n) for n in range(4)]


def numbers(samples, *more):
    return np.arange(samples * int(np.prod(more)), dtype=np.float32).reshape(samples, *more)


def values(part):
    return mapped(lambda array: array if isinstance(array, np.ndarray) else array.asnumpy(), part)


def leaves(samples):
    """Return a strategy for the parts of a batch of so many samples."""
    array = st.sampled_from([numbers(samples), numbers(samples, 2), numbers(samples, 2, 3)])
    return array | st.sampled_from([None, "name", 3, np.float32(2)])


def nested(samples):
    def containers(parts):
        tuples = st.lists(parts, min_size=1, max_size=3).map(tuple)
        return tuples | st.dictionaries(st.sampled_from("abc"), parts, min_size=1)

    return st.recursive(leaves(samples), containers, max_leaves=8)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), samples=st.integers(1, 9), contexts=st.integers(1, 4))
def test_the_parts_of_a_batch_are_its_samples_once_each(data, samples, contexts):
    batch = (numbers(samples), data.draw(nested(samples)))
    parts, own = BatchSplit().over_contexts(batch, FOUR[:contexts])
    assert len(parts) == contexts
    assert own == min(samples, contexts)
    whole = list(arrays_in(batch))
    found = [list(arrays_in(values(part))) for part in parts]
    for number, array in enumerate(whole):
        joined = np.concatenate([one[number] for one in found[:own]])
        np.testing.assert_array_equal(joined, array)
        for borrowed in found[own:]:
            np.testing.assert_array_equal(borrowed[number], array[:1])
    for context, part in zip(FOUR, parts):
        assert all(array.context == context for array in arrays_in(part))


@pytest.mark.parametrize("samples", [2, 3, 7, 8])
@pytest.mark.parametrize("contexts", [2, 3])
def test_arrays_are_cut_as_gluon_cuts_them(samples, contexts):
    array = nd.array(numbers(samples, 2))
    expected = mx.gluon.utils.split_and_load(
        array, FOUR[: min(contexts, samples)], even_split=False
    )
    parts, own = BatchSplit().over_contexts((array,), FOUR[:contexts])
    for (part,), one in zip(parts[:own], expected):
        np.testing.assert_array_equal(part.asnumpy(), one.asnumpy())


def test_a_batch_on_one_context_goes_there_whole_whatever_its_arrays():
    batch = (numbers(3), {"anchors": numbers(1, 4)}, [numbers(2), numbers(5)])
    (part,), own = BatchSplit().over_contexts(batch, [ONE])
    assert own == 1
    assert [array.shape for array in arrays_in(part)] == [(3,), (1, 4), (2,), (5,)]


def test_time_major_arrays_and_lengths_are_cut_along_the_samples():
    batch = (numbers(7, 4, 2), numbers(4), np.float32(3))
    parts, _ = BatchSplit(batch_axis=1).over_contexts(batch, TWO)
    assert [one.shape for one in parts[0][:2]] == [(7, 2, 2), (2,)]
    np.testing.assert_array_equal(parts[1][1].asnumpy(), [2, 3])


def test_a_list_of_arrays_of_unequal_size_is_cut_by_samples():
    boxes = [numbers(n, 4) for n in (3, 1, 2)]
    parts, _ = BatchSplit().over_contexts((numbers(3, 5), boxes), TWO)
    assert [[box.shape[0] for box in part[1]] for part in parts] == [[3, 1], [2]]
    images = [numbers(5, n) for n in (3, 1, 2)]
    parts, _ = BatchSplit().over_contexts((images, boxes), TWO)
    assert [len(part[0]) for part in parts] == [2, 1]


def test_a_list_goes_on_being_what_it_was_where_it_could_be_either():
    split = BatchSplit()
    split.over_contexts((numbers(3, 5), [numbers(n, 4) for n in (3, 1, 2)]), TWO)
    parts, _ = split.over_contexts((numbers(2, 5), [numbers(2, 4), numbers(2, 4)]), TWO)
    assert [len(part[1]) for part in parts] == [1, 1]
    split = BatchSplit()
    split.over_contexts((numbers(3, 5), [numbers(3, 4), numbers(3, 4)]), TWO)
    parts, _ = split.over_contexts((numbers(2, 5), [numbers(2, 4), numbers(2, 4)]), TWO)
    assert [len(part[1]) for part in parts] == [2, 2]


def test_what_could_be_either_from_the_first_is_refused_with_the_remedy():
    with pytest.raises(
        ValueError, match=r"whether a list holds several arrays or one array per sample.*tuple"
    ):
        BatchSplit().over_contexts((numbers(2, 5), [numbers(2, 4), numbers(2, 4)]), TWO)
    parts, _ = BatchSplit().over_contexts((numbers(2, 5), (numbers(2, 4), numbers(2, 4))), TWO)
    assert [one.shape for one in parts[0][1]] == [(1, 4), (1, 4)]


@pytest.mark.parametrize(
    "batch",
    [
        (numbers(4), numbers(1, 3)),
        (numbers(4), [numbers(2), numbers(3)]),
        ("no array", 3),
        ([numbers(2), numbers(3)], [numbers(1), numbers(2), numbers(3)]),
    ],
)
def test_what_cannot_be_cut_is_refused_with_the_remedy(batch):
    with pytest.raises(
        ValueError, match=r"arrays all have the same number of samples.*batch_axis.*one context"
    ):
        BatchSplit().over_contexts(batch, TWO)


def test_containers_keep_their_kind():
    batch = mx.io.DataBatch([nd.ones((4, 2))], [nd.ones(4)], pad=0, index=[1, 2, 3, 4])
    parts, _ = BatchSplit().over_contexts(batch, TWO)
    assert [type(part) for part in parts] == [mx.io.DataBatch] * 2
    assert parts[0].data[0].shape == (2, 2)
    assert batch.data[0].shape == (4, 2)


@dataclasses.dataclass(frozen=True)
class Sentences:
    source: mx.nd.NDArray
    labels: dict
    tokens: int


def test_what_a_dataclass_holds_is_cut_too():
    batch = Sentences(nd.ones((4, 2)), {"target": nd.ones((4, 3))}, tokens=8)
    for part in BatchSplit().over_contexts(batch, TWO)[0]:
        assert type(part) is Sentences
        assert part.source.shape == (2, 2)
        assert part.labels["target"].shape == (2, 3)
        assert part.tokens == 8
    assert batch.source.shape == (4, 2)


@pytest.mark.parametrize(
    ("batch", "inputs", "labels"),
    [
        (("x", "y"), ["x"], ["y"]),
        (["x1", "x2", "y"], ["x1", "x2"], ["y"]),
        ((["x1", "x2"], "y"), ["x1", "x2"], ["y"]),
        (("x", ("y1", "y2")), ["x"], ["y1", "y2"]),
        ((("x1", "x2"), "x3", "y"), [("x1", "x2"), "x3"], ["y"]),
        (({"a": "x"}, "y"), [{"a": "x"}], ["y"]),
        (mx.io.DataBatch(["x1", "x2"], ["y"]), ["x1", "x2"], ["y"]),
        (mx.io.DataBatch(["x"]), ["x"], []),
    ],
)
def test_the_last_part_is_the_label(batch, inputs, labels):
    assert inputs_and_labels(batch) == (inputs, labels)


@pytest.mark.parametrize("batch", [{"x": 1, "y": 2}, (nd.ones(2),), nd.ones(2), "text", ()])
def test_what_has_no_last_part_is_refused_with_the_remedy(batch):
    with pytest.raises(ValueError, match=r"whose last part is the label.* pass compute_loss"):
        inputs_and_labels(batch)
