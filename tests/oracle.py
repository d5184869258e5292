"""The oracle: networks in plain nested loops over Python integers. It imports nothing, so it shares no mistake.

Pictures and activations are nested lists [row][column][channel], weights [out][i][j][in].
"""


def layer(x, weight, bias, shift, low=0):
    """Return one valid convolution with requantisation: acc + half, arithmetic shift right, saturate to low..255.

    `low` is -256 for the residual of an addition.
    """
    return convolution(
        x, weight, bias, lambda acc, out: min(max((acc + ((1 << shift[out]) >> 1)) >> shift[out], low), 255)
    )


def prelu_layer(x, weight, bias, shift, slope, zero):
    """Return one valid convolution whose sums below 0 are shifted further, by `slope`; `zero` is what 0 becomes."""

    def finish(acc, out):
        total = shift[out] + (slope[out] if acc < 0 else 0)
        return min(max(((acc + ((1 << total) >> 1)) >> total) + zero[out], 0), 255)

    return convolution(x, weight, bias, finish)


def convolution(x, weight, bias, finish):
    """Return one valid convolution; `finish(acc, out)` makes a value of a sum of output channel `out`."""
    k = len(weight[0])
    result = []
    for row in range(len(x) - k + 1):
        result.append([])
        for column in range(len(x[0]) - k + 1):
            pixel = []
            for out, out_weight in enumerate(weight):
                acc = bias[out]
                for i in range(k):
                    for j in range(k):
                        values, factors = x[row + i][column + j], out_weight[i][j]
                        for value, factor in zip(values, factors):
                            acc += value * factor
                pixel.append(finish(acc, out))
            result[-1].append(pixel)
    return result


def add(residual, earlier):
    """Return residual + earlier, saturated to 0..255; `earlier` is cropped in the middle and repeated over channels."""
    crop_down, crop_right = (len(earlier) - len(residual)) // 2, (len(earlier[0]) - len(residual[0])) // 2
    return [
        [
            [
                min(max(value + pixels[channel % len(pixels)], 0), 255)
                for channel, value in enumerate(values)
                for pixels in [earlier[row + crop_down][column + crop_right]]
            ]
            for column, values in enumerate(line)
        ]
        for row, line in enumerate(residual)
    ]


def depth_to_space(x, s):
    """Return channel (i * s + j) * C + c of (y, x) as channel c of pixel (s * y + i, s * x + j)."""
    channels = len(x[0][0]) // s**2
    return [
        [
            [x[row // s][column // s][(row % s * s + column % s) * channels + c] for c in range(channels)]
            for column in range(s * len(x[0]))
        ]
        for row in range(s * len(x))
    ]


def transposed_convolution(x, weight, s, padding):
    """Return the sums of a transposed convolution: tap (a, b) adds x(y, x) to (s y + a - p, s x + b - p)."""
    height, width, k = s * len(x), s * len(x[0]), len(weight[0])
    result = [[[0] * len(weight) for _ in range(width)] for _ in range(height)]
    for row, line in enumerate(x):
        for column, values in enumerate(line):
            for out, taps in enumerate(weight):
                for a in range(k):
                    for b in range(k):
                        to_row, to_column = s * row + a - padding, s * column + b - padding
                        if 0 <= to_row < height and 0 <= to_column < width:
                            for value, factor in zip(values, taps[a][b]):
                                result[to_row][to_column][out] += value * factor
    return result


def pad(picture, halo):
    """Return the picture [row][column] with each border pixel repeated `halo` times."""
    rows, columns = len(picture), len(picture[0])
    return [
        [
            picture[min(max(row, 0), rows - 1)][min(max(column, 0), columns - 1)]
            for column in range(-halo, columns + halo)
        ]
        for row in range(-halo, rows + halo)
    ]


def network(picture, layers):
    """Return the network's output [row][column], or [row][column][channel] if it has several, for a picture
    [row][column].

    `layers` are (weight, bias, shift).
    """
    halo = sum(len(weight[0]) - 1 for weight, _, _ in layers) // 2
    x = [[[value] for value in row] for row in pad(picture, halo)]
    for weight, bias, shift in layers:
        x = layer(x, weight, bias, shift)
    return x if len(layers[-1][0]) > 1 else [[pixel[0] for pixel in row] for row in x]
