"""Networks that were trained elsewhere, read from ONNX and Keras files: a description and float weights of them."""
