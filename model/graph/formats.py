"""Number formats of the arithmetic contract (docs/architecture.md), shared by every layer."""

ACT_BITS = 8  # activations and pixels: unsigned
WEIGHT_BITS = 8  # weights: signed
BIAS_BITS = 24  # biases: signed, in units of the accumulator
MAX_SHIFT = 22  # largest requantisation shift
MAX_SLOPE = 7  # largest further shift of a PReLU's negative sums: a slope of 2^-7
