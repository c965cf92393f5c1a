import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.errors import DataSetError, UsageError
from monitor.stills.opening import is_stills, open_stills


def idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Yann LeCun's format: a magic number, the shape, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">{1 + values.ndim}i", 2048 + values.ndim, *values.shape)
    path.write_bytes(head + values.tobytes())


def write_mnist(root: Path, folder: str = "MNIST") -> Path:
    """Fifty and thirty digits; a picture's level is its digit times ten."""
    for name, number in (("train", 50), ("t10k", 30)):
        digits = (np.arange(number) % 10).astype(np.uint8)
        images = np.broadcast_to(10 * digits[:, None, None], (number, 28, 28)).astype(np.uint8)
        idx(root / folder / "raw" / f"{name}-images-idx3-ubyte", images)
        idx(root / folder / "raw" / f"{name}-labels-idx1-ubyte", digits)
    return root


def test_one_class_normal(tmp_path: Path) -> None:
    found = open_stills(write_mnist(tmp_path), protocol="one-normal:3")
    assert (found.layout, found.label_source) == ("mnist", "class labels")
    assert found.protocol.startswith("one-normal:3; the training part's are learned")
    assert (len(found.train), len(found.test)) == (5, 30)
    assert {still.kind for still in found.train} == {"3"}
    assert sum(still.label is False for still in found.test) == 3
    image = found.train[0].picture()
    assert image.shape == (28, 28, 3)
    assert image.dtype == np.uint8
    assert (image == 30).all()
    assert all(still.label is (still.kind != "3") for still in found.test)


def test_one_class_abnormal_pools_both_parts(tmp_path: Path) -> None:
    found = open_stills(write_mnist(tmp_path) / "MNIST", protocol="one-abnormal:3")
    assert found.protocol.startswith("one-abnormal:3; both parts together, 80 %")
    assert len(found.train) == round(0.8 * 72)
    assert not any(still.kind == "3" for still in found.train)
    assert sum(still.label is True for still in found.test) == 8
    assert sum(still.label is False for still in found.test) == 72 - len(found.train)
    assert len({still.name for still in (*found.train, *found.test)}) == 80


def test_fashion_by_name_and_by_number(tmp_path: Path) -> None:
    write_mnist(tmp_path, "FashionMNIST")
    by_name = open_stills(tmp_path, normal="Sandal")
    assert by_name.layout == "fashion_mnist"
    assert by_name.protocol.startswith("one-normal:Sandal")
    assert open_stills(tmp_path, normal="5").protocol == by_name.protocol


def test_which_class_must_be_said(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    assert is_stills(tmp_path)
    with pytest.raises(UsageError, match="ten classes; say which is normal or abnormal"):
        open_stills(tmp_path)
    with pytest.raises(DataSetError, match="no class 11"):
        open_stills(tmp_path, normal="11")


def test_two_sets_under_one_root(tmp_path: Path) -> None:
    write_mnist(write_mnist(tmp_path), "FashionMNIST")
    with pytest.raises(DataSetError, match="holds mnist and fashion_mnist; say which"):
        open_stills(tmp_path, normal="3")
    assert open_stills(tmp_path, layout="mnist", normal="3").layout == "mnist"


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataSetError, match=r"MNIST: torchvision cannot read") as raised:
        open_stills(tmp_path, normal="3")
    assert "download" not in str(raised.value)


def write_cifar(root: Path) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    names = ["airplane", "automobile", "bird", "cat", "deer"]
    names += ["dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    data = np.zeros((10, 3, 32, 32), np.uint8)
    data[:, 1] = 10 * np.arange(10)[:, None, None]
    batch = {"data": data.reshape(10, -1), "labels": list(range(10))}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        (folder / name).write_bytes(pickle.dumps(batch))
    return root


def test_cifar_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import cifar

    write_cifar(tmp_path)
    with pytest.raises(DataSetError, match="cifar-10-batches-py: torchvision cannot") as raised:
        open_stills(tmp_path, normal="cat")  # not its files: nothing of them is unpickled
    assert str(raised.value).endswith("not the published ones; put the set there anew")
    monkeypatch.setattr(cifar, "check_integrity", lambda *_: True)
    found = open_stills(tmp_path, normal="cat")
    assert (found.layout, len(found.train), len(found.test)) == ("cifar10", 5, 10)
    assert found.train[0].picture()[0, 0].tolist() == [0, 30, 0]
    assert open_stills(tmp_path, normal="3").protocol.startswith("one-normal:cat")
