"""On one thread each, operations give the same to the bit, and nobody else is held up."""

import threading

import pytest
import torch

from rewriting.generators.threads import side_by_side, single_threaded


@pytest.fixture
def threads():
    """Sets the number of threads of this test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def in_a_new_thread(run):
    found = []
    thread = threading.Thread(target=lambda: found.append(run()))
    thread.start()
    thread.join()
    return found[0]


def test_only_the_calling_thread_is_alone_and_only_for_a_while(threads):
    threads(3)
    with single_threaded():
        assert torch.get_num_threads() == 1
        assert in_a_new_thread(torch.get_num_threads) == 3
        with single_threaded():
            pass
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(ValueError, match="broken"), single_threaded():
        raise ValueError("broken")
    assert torch.get_num_threads() == 3


def products():
    """Of matrices whose shapes libraries divide otherwise for every number of threads."""
    source = torch.Generator().manual_seed(0)
    pairs = [(torch.randn(128, 700, generator=source), torch.randn(700, n, generator=source)) for n in (17, 27, 70)]
    return torch.cat([(a @ b).flatten() for a, b in pairs] + [torch.cat([a.flatten() for a, _ in pairs]).mean()[None]])


def test_sums_are_the_same_to_the_bit_for_any_number_of_threads(threads):
    found = []
    for count in (1, 2, 3, 4, 8):
        threads(count)
        with single_threaded():
            found.append(products())
        found.extend(side_by_side(lambda _: products(), range(2)))
    assert all(torch.equal(one, found[0]) for one in found)


@pytest.mark.parametrize("count", [1, 3])
def test_side_by_side_keeps_the_order_the_gradients_and_the_errors(threads, count):
    threads(count)

    def seen(item):
        return item, torch.get_num_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    assert [one[0] for one in side_by_side(seen, range(20))] == list(range(20))
    assert side_by_side(seen, []) == []
    for mode, expected in (
        (torch.enable_grad(), (True, False)),
        (torch.no_grad(), (False, False)),
        (torch.inference_mode(), (False, True)),
    ):
        with mode:
            assert {one[1:] for one in side_by_side(seen, range(4))} == {(1, *expected)}
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 // item, [1, 0, 2])
    assert torch.get_num_threads() == count
