"""What can be downloaded: from where, how large, under what terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from gansmith.data import cifar

_DIGITS = [str(digit) for digit in range(10)]


@dataclass(frozen=True)
class RemoteFile:
    """A file at its origin: name, hash as pooch writes it ("md5:…"), size in 10⁶ bytes."""

    name: str
    hash: str
    megabytes: float


@dataclass(frozen=True)
class Download:
    """A data set that can be downloaded; ``files`` lists those of each split."""

    name: str
    description: str
    origin: str
    terms: str
    files: dict[str, list[RemoteFile]]
    classes: list[str] = field(default_factory=lambda: _DIGITS)
    folder: str = ""  # where PyTorch's loaders put it: FOLDER/raw

    @property
    def megabytes(self) -> float:
        """How much there is of all splits together, in 10⁶ bytes."""
        return sum({file.name: file.megabytes for s in self.files.values() for file in s}.values())


def _mnist_like(*hashes: str, sizes: tuple[float, float]) -> dict[str, list[RemoteFile]]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    megabytes = (sizes[0], 0.03, sizes[1], 0.005)
    files = [
        RemoteFile(f"{name}-ubyte.gz", f"md5:{md5}", size)
        for name, md5, size in zip(names, hashes, megabytes, strict=True)
    ]
    return {"train": files[:2], "test": files[2:]}


_CIFAR10 = [RemoteFile("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530", 170.1)]

_ALL = (
    Download(
        name="mnist",
        description="handwritten digits, 60,000 + 10,000, 28×28 grey",
        origin="https://ossci-datasets.s3.amazonaws.com/mnist/",
        terms="Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0",
        files=_mnist_like(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
            sizes=(9.9, 1.6),
        ),
        folder="MNIST",
    ),
    Download(
        name="qmnist",
        description="MNIST made again from its source, with all 60,000 test digits, 28×28 grey",
        origin="https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
        terms="C. Yadav and L. Bottou, 2019; BSD-style licence of facebookresearch/qmnist",
        files={
            "train": [
                RemoteFile(
                    "qmnist-train-images-idx3-ubyte.gz", "md5:ed72d4157d28c017586c42bc6afe6370", 9.7
                ),
                RemoteFile(
                    "qmnist-train-labels-idx2-int.gz", "md5:0058f8dd561b90ffdd0f734c6a30e5e4", 0.5
                ),
            ],
            "test": [
                RemoteFile(
                    "qmnist-test-images-idx3-ubyte.gz", "md5:1394631089c404de565df7b7aeaf9412", 9.7
                ),
                RemoteFile(
                    "qmnist-test-labels-idx2-int.gz", "md5:5b5b05890a5e13444e108efe57b788aa", 0.5
                ),
            ],
        },
        folder="QMNIST",
    ),
    Download(
        name="fashion-mnist",
        description="pieces of clothing, 60,000 + 10,000, 28×28 grey",
        origin="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        terms="Zalando SE, 2017; MIT licence",
        files=_mnist_like(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
            sizes=(26.4, 4.4),
        ),
        classes=[
            *["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
            *["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
        ],
        folder="FashionMNIST",
    ),
    Download(
        name="kmnist",
        description="cursive Japanese characters, 60,000 + 10,000, 28×28 grey",
        origin="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        terms="KMNIST dataset (created by CODH), adapted from the Kuzushiji dataset (created by "
        "NIJL and others), doi:10.20676/00000341; CC BY-SA 4.0",
        files=_mnist_like(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
            sizes=(18.2, 3.0),
        ),
        classes=["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        folder="KMNIST",
    ),
    Download(
        name="cifar10",
        description="photographs of ten kinds of things, 50,000 + 10,000, 32×32 colour",
        origin="https://www.cs.toronto.edu/~kriz/",
        terms="A. Krizhevsky, 2009; no licence is stated, the authors ask to be cited",
        files={"train": _CIFAR10, "test": _CIFAR10},
        classes=cifar.CLASSES,
    ),
)
DOWNLOADS: dict[str, Download] = {entry.name: entry for entry in _ALL}
