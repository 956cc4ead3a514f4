"""A ViT-S/16 (timm, random weights): makes its ONNX files, and embeds with torch, eager in inference mode.

Batches of 8: the fastest on one thread (1: -7%, 4: level, 16: -6%).
"""
import functools
import os

import numpy as np
import timm
import torch
from PIL import Image
from server import seconds, serve

torch.set_num_threads(1)
BATCH = 8
MEAN, STD = [torch.tensor(values).reshape(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]


@functools.cache
def encoder():
    torch.manual_seed(0)
    return timm.create_model("vit_small_patch16_224", pretrained=False, num_classes=0).eval()


def make(folder):
    """encoder.onnx, and encoder-int8.onnx: weights int8 by channel, activations quantised as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process
    model, inferred, small = (os.path.join(folder, name) for name in ("encoder.onnx", "inferred.onnx", "encoder-int8.onnx"))
    torch.onnx.export(encoder(), (torch.zeros(1, 3, 224, 224),), model, input_names=["image"], output_names=["embedding"], dynamo=False)
    quant_pre_process(model, inferred)
    quantize_dynamic(inferred, small, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"])
    return {"seconds": 0}


def pin(core):
    os.sched_setaffinity(0, {core})
    return {"seconds": 0}


def prepare(file):
    image = Image.open(file).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255 - MEAN) / STD


def images(files):
    """Reads the files, prepares and embeds them."""
    def work():
        with torch.inference_mode():
            for i in range(0, len(files), BATCH):
                encoder()(torch.stack([prepare(file) for file in files[i : i + BATCH]]))
    return seconds(work)


@functools.cache
def batch():
    return torch.randn(BATCH, 3, 224, 224)


def forward(rows):
    """The model alone, on one batch again and again."""
    def work():
        with torch.inference_mode():
            for _ in range(rows // BATCH):
                encoder()(batch())
    return seconds(work)


serve(make, pin, images, forward)
