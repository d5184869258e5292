"""Writes the networks of other people's kind that the tests of import read: PyTorch models of published shapes, trained
for some seconds on drawn pictures, exported by both of PyTorch's exporters.

    python3 -m venv build/torch
    build/torch/bin/pip install torch==2.14.1 onnx==1.23.2 onnxscript==0.7.2
    build/torch/bin/python tests/foreign/export.py          # or with names

PyTorch is no part of `make setup`: this script stands alone and imports nothing of the project. `<name>_old.onnx` is
from the exporter that traces (TorchScript), `<name>_new.onnx` from torch.export ("dynamo"). The shapes:

    espcn       Shi et al., CVPR 2016, its tanh written as ReLU
    fsrcnn      Dong et al., ECCV 2016
    ecbsr       Zhang et al., ACM MM 2021: m4c16, its blocks collapsed as for inference
    ecbsr_m1c8  the same with one block of 8 channels, small enough to simulate
    quicksrnet  Berger et al., CVPR Workshops 2023: small, with its clip at the end
    srvgg       SRVGGNetCompact of Real-ESRGAN (Wang et al., ICCV Workshops 2021), 16 channels
    zoo         the ONNX model zoo's super-resolution-10 (PyTorch's example of a sub-pixel network) with half its
                channels, opset 10, a fixed size of 224: the file itself lies in Git LFS and is larger than 200 kB
"""

import pathlib
import sys

import onnx
import torch
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).resolve().parent
SEED = 7
STEPS = 400
SIDE = 32  # of a training patch, small


class Espcn(nn.Module):
    def __init__(self, upscale=3, first=64, second=32):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, first, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, upscale**2, 3, padding=1),
            nn.PixelShuffle(upscale),
        )

    def forward(self, x):
        return self.body(x)


class Fsrcnn(nn.Module):
    def __init__(self, upscale=3, d=56, s=12, m=4):
        super().__init__()
        layers = [nn.Conv2d(1, d, 5, padding=2), nn.PReLU(d), nn.Conv2d(d, s, 1), nn.PReLU(s)]
        for _ in range(m):
            layers += [nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s)]
        layers += [nn.Conv2d(s, d, 1), nn.PReLU(d)]
        self.body = nn.Sequential(*layers)
        self.pixels = nn.ConvTranspose2d(d, 1, 9, upscale, padding=4, output_padding=upscale - 1)

    def forward(self, x):
        return self.pixels(self.body(x))


class Ecbsr(nn.Module):
    def __init__(self, upscale=2, blocks=4, channels=16):
        super().__init__()
        layers = [nn.Conv2d(1, channels, 3, padding=1), nn.PReLU(channels)]
        for _ in range(blocks):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.PReLU(channels)]
        self.backbone = nn.Sequential(*layers, nn.Conv2d(channels, upscale**2, 3, padding=1))
        self.pixels = nn.PixelShuffle(upscale)

    def forward(self, x):
        return self.pixels(self.backbone(x) + x)


class QuickSrNet(nn.Module):
    def __init__(self, upscale=2, channels=32, middle=2):
        super().__init__()
        layers = [nn.Conv2d(3, channels, 3, padding=1), nn.Hardtanh(0, 1)]
        for _ in range(middle):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.Hardtanh(0, 1)]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, 3 * upscale**2, 3, padding=1))
        self.pixels = nn.PixelShuffle(upscale)
        self.clip = nn.Hardtanh(0, 1)

    def forward(self, x):
        return self.clip(self.pixels(self.body(x)))


class SrVgg(nn.Module):
    def __init__(self, upscale=2, channels=16, middle=4):
        super().__init__()
        self.upscale = upscale
        layers = [nn.Conv2d(3, channels, 3, padding=1), nn.PReLU(channels)]
        for _ in range(middle):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.PReLU(channels)]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, 3 * upscale**2, 3, padding=1))
        self.pixels = nn.PixelShuffle(upscale)

    def forward(self, x):
        return self.pixels(self.body(x)) + functional.interpolate(x, scale_factor=self.upscale, mode="nearest")


class Zoo(nn.Module):
    def __init__(self, upscale=3):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 32, 5, 1, 2)
        self.conv2 = nn.Conv2d(32, 32, 3, 1, 1)
        self.conv3 = nn.Conv2d(32, 16, 3, 1, 1)
        self.conv4 = nn.Conv2d(16, upscale**2, 3, 1, 1)
        self.pixel_shuffle = nn.PixelShuffle(upscale)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))


def drawn_pictures(count, channels, side, generator):
    """Pictures (count, channels, side, side) in [0, 1]: waves, boxes with hard edges, and slopes of light."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")

    def uniform(low, high):
        return low + (high - low) * torch.rand(count, channels, 1, 1, generator=generator)

    light = uniform(0.2, 0.8) + uniform(-0.4, 0.4) * x + uniform(-0.4, 0.4) * y
    waves = 0.15 * torch.sin(uniform(5, 60) * x + uniform(-60, 60) * y + uniform(0, 6))
    boxes = 0
    for _ in range(4):
        top, left = uniform(0, 0.8)[:, :1], uniform(0, 0.8)[:, :1]
        inside = (y > top) & (y < top + uniform(0.1, 0.5)[:, :1]) & (x > left) & (x < left + uniform(0.1, 0.5)[:, :1])
        boxes = boxes + uniform(-0.5, 0.5) * inside
    return (light + waves + boxes).clamp(0, 1)


def trained(model, channels, upscale):
    """Train for some seconds, so that the network makes a picture and its PReLUs have slopes of their own."""
    generator = torch.Generator().manual_seed(SEED)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for step in range(STEPS):
        true = drawn_pictures(8, channels, SIDE * upscale, generator)
        low = functional.avg_pool2d(true, upscale)
        loss = functional.mse_loss(model(low), true)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 99:
            print(f"  step {step + 1}: {-10 * loss.log10().item():.2f} dB")
    return model.eval()


def export(model, name, channels):
    """Write `<name>_old.onnx` and `<name>_new.onnx`, of any batch, height and width."""
    picture = torch.zeros(1, channels, 24, 32)
    torch.onnx.export(
        model,
        (picture,),
        HERE / f"{name}_old.onnx",
        dynamo=False,
        opset_version=17,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={side: {0: "batch", 2: "height", 3: "width"} for side in ("input", "output")},
    )
    sides = {2: torch.export.Dim("height", min=8, max=4096), 3: torch.export.Dim("width", min=8, max=4096)}
    torch.onnx.export(
        model,
        (picture,),
        HERE / f"{name}_new.onnx",
        dynamo=True,
        external_data=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=(sides,),
        verbose=False,
    )
    without_notes(HERE / f"{name}_new.onnx")


def without_notes(path):
    """Write a file again without what the exporter says of the source code and its paths."""
    model = onnx.load(path)
    del model.metadata_props[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)


NETWORKS = {  # name: model of a factor, channels, factor
    "espcn": (Espcn, 1, 3),
    "fsrcnn": (Fsrcnn, 1, 3),
    "ecbsr": (Ecbsr, 1, 2),
    "ecbsr_m1c8": (lambda upscale: Ecbsr(upscale, 1, 8), 1, 2),
    "quicksrnet": (QuickSrNet, 3, 2),
    "srvgg": (SrVgg, 3, 2),
}


def main():
    wanted = sys.argv[1:] or [*NETWORKS, "zoo"]
    for name, (kind, channels, upscale) in NETWORKS.items():
        if name in wanted:
            print(name)
            torch.manual_seed(SEED)
            export(trained(kind(upscale), channels, upscale), name, channels)
    if "zoo" in wanted:
        export_zoo()


def export_zoo():
    """Write `zoo.onnx`: opset 10, whose pixel shuffle is reshape, transpose and reshape of fixed sizes."""
    print("zoo")
    torch.manual_seed(SEED)
    torch.onnx.export(
        trained(Zoo(), 1, 3),
        (torch.zeros(1, 1, 224, 224),),
        HERE / "zoo.onnx",
        dynamo=False,
        opset_version=10,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}},
    )


if __name__ == "__main__":
    main()
