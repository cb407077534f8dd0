"""Circular garbage is not looked for inside the pause, and is again behind it."""

import gc

import pytest

from packer.solver.collection_pause import collection_paused


def test_pause_ends() -> None:
    assert gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner pause leaves the outer one alone"
    assert gc.isenabled()


def test_pause_ends_with_an_interruption() -> None:
    with pytest.raises(KeyboardInterrupt), collection_paused():
        raise KeyboardInterrupt
    assert gc.isenabled()


def test_who_never_collects_still_does_not() -> None:
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
