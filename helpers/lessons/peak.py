"""How much memory a piece of work takes beside what was there before: tensors, byte by byte."""

import gc
import weakref
from collections.abc import Callable
from typing import Any


def peak_of(work: Callable[[], Any], device: str = "cpu") -> int:
    """Run `work`; return the most bytes of tensors alive at once that were not there before.

    On a GPU the allocator counts. On a CPU a dispatch mode sees every tensor that an operation
    gives back, which is the same to the byte on any machine; what a kernel takes inside, and what
    Python and the libraries take, it does not see.
    """
    import torch

    gc.collect()
    if device == "cpu":
        with counter() as live:
            work()
        return live.top
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return torch.cuda.max_memory_allocated() - before


def counter():
    """Return a context that counts the bytes alive (`now`) and the most there were (`top`)."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_map_only

    class Live(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.now = self.top = 0
            self.seen: set[int] = set()

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            given: set[int] = set()  # storages that were there before are not this work's
            tree_map_only(torch.Tensor, lambda t: given.add(key(t)), (args, kwargs or {}))
            out = func(*args, **(kwargs or {}))
            tree_map_only(torch.Tensor, lambda t: self.add(t, given), out)
            return out

        def add(self, tensor: torch.Tensor, given: set[int]) -> None:
            place, storage = key(tensor), tensor.untyped_storage()
            if place in self.seen or place in given or not storage.nbytes():
                return
            self.seen.add(place)
            self.now += storage.nbytes()
            self.top = max(self.top, self.now)
            weakref.finalize(storage, self.drop, place, storage.nbytes())

        def drop(self, place: int, size: int) -> None:
            self.seen.discard(place)
            self.now -= size

    def key(tensor: torch.Tensor) -> int:
        return tensor.untyped_storage()._cdata

    return Live()


def stored_bytes(model: Any) -> int:
    """Return the bytes of a model's weights as they are stored, a shared one once.

    Weights in 4 bits count with the constants that turn them back into numbers.
    """
    import torch

    total = 0
    for weight in model.parameters():
        total += weight.numel() * weight.element_size()
        state = getattr(weight, "quant_state", None)
        parts = state.as_dict(packed=False).values() if state is not None else ()
        total += sum(x.numel() * x.element_size() for x in parts if torch.is_tensor(x))
    return total
