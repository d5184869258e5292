"""`python -m model.train` with a plain first layer instead of a whitened one; for the ablations (`model.ablations`) only.

Options and results are those of `model.train`. The whitening is the identity, so that the first layer's kernel is
trained as it is; the collapse to plain weights then changes nothing but the centring of the pixels.
"""

import numpy as np

from model import keras_model, train


def identity(pictures, k):
    """Stand in for `keras_model.whitening_of`: (k * k, k * k) float64."""
    return np.eye(k * k)


if __name__ == "__main__":
    keras_model.whitening_of = identity
    train.main()
