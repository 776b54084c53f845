import itertools

import pytest

from gluon_lr import ContinuousBatchSampler
from gluon_lr._mxnet import mx, nd


def first(batches, count):
    return list(itertools.islice(iter(batches), count))


def test_batches_are_full_and_span_passes():
    sampler = mx.gluon.data.SequentialSampler(5)
    assert first(ContinuousBatchSampler(sampler, 3), 4) == [
        [0, 1, 2],
        [3, 4, 0],
        [1, 2, 3],
        [4, 0, 1],
    ]


def test_a_dataset_smaller_than_a_batch_fills_it_in_several_passes():
    assert first(ContinuousBatchSampler([7, 8], 5), 2) == [[7, 8, 7, 8, 7], [8, 7, 8, 7, 8]]


def test_each_pass_is_shuffled_anew_and_complete():
    batches = first(ContinuousBatchSampler(mx.gluon.data.RandomSampler(6), 6), 20)
    assert all(sorted(batch) == list(range(6)) for batch in batches)
    assert len({tuple(batch) for batch in batches}) > 1


def test_iterating_again_starts_again():
    sampler = ContinuousBatchSampler([0, 1, 2], 2)
    assert first(sampler, 2) == first(sampler, 2) == [[0, 1], [2, 0]]


def test_a_data_loader_takes_it():
    dataset = mx.gluon.data.ArrayDataset(nd.arange(5), nd.arange(5))
    sampler = ContinuousBatchSampler(mx.gluon.data.SequentialSampler(5), 2)
    loader = mx.gluon.data.DataLoader(dataset, batch_sampler=sampler)
    batches = [data.asnumpy().tolist() for data, _ in itertools.islice(iter(loader), 4)]
    assert batches == [[0, 1], [2, 3], [4, 0], [1, 2]]


def test_an_empty_sampler_is_refused_at_once():
    with pytest.raises(
        ValueError, match=r"ContinuousBatchSampler: `sampler` must be .* in every pass"
    ):
        ContinuousBatchSampler([], 2)


def test_a_sampler_that_turns_out_empty_raises_instead_of_spinning():
    batches = iter(ContinuousBatchSampler((i for i in range(3)), 2))
    assert next(batches) == [0, 1]
    with pytest.raises(ValueError, match="or the sampler is a generator"):
        next(batches)


@pytest.mark.parametrize(("sampler", "batch_size"), [(5, 2), ([1], 0.5), ([1], True)])
def test_arguments_of_the_wrong_kind(sampler, batch_size):
    with pytest.raises(TypeError):
        ContinuousBatchSampler(sampler, batch_size)


def test_a_batch_holds_at_least_one():
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1, got 0"):
        ContinuousBatchSampler([1], 0)
