"""Writes `keras.keras`, a small network as Keras saves it, with weights that are drawn: PReLU, batch normalisation, an
anchor of copies, depth-to-space.

    build/venv/bin/python tests/foreign/export_keras.py
"""

import pathlib

import keras

SEED = 7
UPSCALE = 2
CHANNELS = 12


def main():
    keras.utils.set_random_seed(SEED)
    layers, draw = keras.layers, keras.initializers
    picture = keras.Input((None, None, 1), name="picture")
    x = layers.Conv2D(CHANNELS, 5, padding="same", bias_initializer=draw.RandomNormal(0, 0.1), name="head")(picture)
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer=draw.RandomUniform(0.05, 0.6), name="head_prelu")(x)
    x = layers.Conv2D(CHANNELS, 3, padding="same", use_bias=False, name="middle")(x)
    x = layers.BatchNormalization(
        beta_initializer=draw.RandomNormal(0, 0.1),
        moving_variance_initializer=draw.RandomUniform(0.5, 1.5),
        name="middle_norm",
    )(x)
    x = layers.ReLU(name="middle_relu")(x)
    x = layers.Conv2D(UPSCALE**2, 3, padding="same", kernel_initializer=draw.RandomNormal(0, 0.05), name="tail")(x)
    anchor = layers.Concatenate(name="copies")([picture] * UPSCALE**2)
    x = layers.Add(name="anchor")([x, anchor])
    x = keras.ops.nn.depth_to_space(x, UPSCALE)
    keras.Model(picture, x, name="small").save(pathlib.Path(__file__).with_name("keras.keras"))


if __name__ == "__main__":
    main()
