"""The oracle: SRCNN in plain nested loops over Python integers. It imports nothing, so it shares no mistake.

Pictures and activations are nested lists [row][column][channel], weights [out][i][j][in].
"""


def layer(x, weight, bias, shift):
    """Return one valid convolution with requantisation: acc + half, arithmetic shift right, saturate to 0..255."""
    k = len(weight[0])
    result = []
    for row in range(len(x) - k + 1):
        result.append([])
        for column in range(len(x[0]) - k + 1):
            pixel = []
            for out_weight, out_bias, out_shift in zip(weight, bias, shift):
                acc = out_bias
                for i in range(k):
                    for j in range(k):
                        values, factors = x[row + i][column + j], out_weight[i][j]
                        for value, factor in zip(values, factors):
                            acc += value * factor
                half = (1 << out_shift) >> 1
                pixel.append(min(max((acc + half) >> out_shift, 0), 255))
            result[-1].append(pixel)
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
