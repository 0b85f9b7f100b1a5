"""Training of ``scene.onnx``, the model that knows the drawn street."""
