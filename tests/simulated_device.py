"""A device that is none: tensors that say they are elsewhere, computed on the CPU.

Without a GPU it shows what a program for one does wrong: tensors of both places in one operation
raise, and whatever the host would wait for is counted, copies in both directions among it.
Importing it tells torch of the device, for good; so it is imported in processes of its own.
"""

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("simulated")
torch.simulated.get_amp_supported_dtype = lambda: [torch.bfloat16]
DEVICE = torch.device("simulated", 0)
WAITS = {
    *("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::masked_select"),
    *("aten::_unique2", "aten::unique_dim", "aten::repeat_interleave.Tensor"),
}
"""Operations whose result the host has to see."""
SENT = "to the device"


class There(torch.Tensor):
    """Wraps a tensor of the CPU, ``here``, and says that it is on the device."""

    @staticmethod
    def __new__(cls, here):
        layout = {"strides": here.stride(), "storage_offset": here.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(
            cls, here.size(), dtype=here.dtype, device=DEVICE, **layout
        )

    def __init__(self, here):
        self.here = here

    @classmethod
    def __torch_dispatch__(cls, operation, types, arguments=(), named=None):
        raise AssertionError(f"{operation}: outside of the simulation")


class Simulation(TorchDispatchMode):
    """Computes what is there.

    Attributes:
        waits: How often the host would have waited, by operation; as ``SENT``, for what it sent.
        operations: How many there were on the device.
    """

    def __init__(self):
        super().__init__()
        self.waits, self.operations = Counter(), 0

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        named = named or {}
        tensors = [x for x in tree_leaves((arguments, named)) if isinstance(x, torch.Tensor)]
        asked = torch.device(named["device"]) if named.get("device") is not None else None
        stays = any(isinstance(x, There) for x in tensors)
        self.operations += stays
        name = operation._schema.name
        if name == "aten::copy_":
            comes, stays = (isinstance(x, There) for x in reversed(tensors[:2]))
            self.waits[SENT if stays else name] += stays != comes
        elif name == "aten::_to_copy":
            moves = asked is not None and stays == (asked.type == "cpu")
            self.waits[name if stays else SENT] += moves
        elif stays:
            _check_place(operation, tensors)
            self.waits[name] += name in WAITS or _asks_for_places(name, tensors)
        if asked is not None:
            named, stays = named | {"device": torch.device("cpu")}, asked.type == DEVICE.type
        found = operation(*tree_map(_here, arguments), **tree_map(_here, named))
        # What is changed in place is the same tensor as before.
        known = {id(_here(x)): x for x in tensors}
        return tree_map(lambda x: known.get(id(x), _there(x)), found) if stays else found


def _check_place(operation, tensors):
    for x in tensors:
        if not isinstance(x, There) and x.dim():  # single numbers may be of the CPU
            raise RuntimeError(f"{operation}: {tuple(x.shape)} of the CPU among others")


def _asks_for_places(name, tensors):
    """Say whether rows are chosen by a mask, which hides how many there are."""
    masks = [x for x in tensors[1:] if x.dtype in (torch.bool, torch.uint8)]
    return name in ("aten::index", "aten::index_put_") and bool(masks)


def _here(x):
    return x.here if isinstance(x, There) else x


def _there(x):
    return There(x) if isinstance(x, torch.Tensor) and not isinstance(x, There) else x
