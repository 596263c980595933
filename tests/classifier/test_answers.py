"""Networks asked one after the other: answers come in order, and nothing runs far ahead."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from classifier.model import build
from classifier.predict import AHEAD, answers, logits
from tests.classifier.pictures import bars, small_config


def test_answers_come_in_the_order_of_the_questions_whatever_their_sizes() -> None:
    networks = [build(small_config(seed=seed)) for seed in range(3)]
    images, _ = bars(40)
    jobs = [
        (networks[number % 3], images[: size if number % 2 else 40])
        for number, size in enumerate([1, 40, 7, 0, 33, 5])
    ]
    said = list(answers(jobs, batch_size=4, device="cpu", threads=2))
    assert [len(rows) for rows in said] == [len(seen) for _, seen in jobs]
    for (network, seen), rows in zip(jobs, said, strict=True):
        alone = logits(network, seen, batch_size=100, device="cpu")
        assert np.allclose(rows, alone, atol=1e-5)


def test_no_more_is_begun_than_is_soon_asked_for() -> None:
    network, begun = build(small_config()), 0
    images, _ = bars(4)

    def jobs() -> Iterator[tuple[nn.Module, np.ndarray]]:
        nonlocal begun
        while True:  # a corpus without end
            begun += 1
            yield network, images

    asked = answers(jobs(), device="cpu", threads=2)
    for turn in range(1, 6):
        next(asked)
        assert begun <= turn + AHEAD
    asked.close()
    assert begun <= 5 + AHEAD


def test_what_a_network_cannot_answer_is_raised_where_its_answer_was_due() -> None:
    network = build(small_config())
    images, _ = bars(9)
    asked = answers([(network, images), (network, images[:, :6])], batch_size=2, device="cpu")
    assert next(asked).shape == (9, 3)
    with pytest.raises(RuntimeError):
        next(asked)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_asking_leaves_the_threads_of_the_process_as_they_were(threads: int) -> None:
    before = torch.get_num_threads()
    images, _ = bars(20)
    logits(build(small_config()), images, batch_size=4, device="cpu", threads=threads)
    assert torch.get_num_threads() == before


def test_no_batch_of_nothing_is_taken() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        logits(build(small_config()), bars(3)[0], batch_size=0)
