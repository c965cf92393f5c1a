"""Options that make each video detector small enough for the laws."""

from typing import Any

SMALL: dict[str, Any] = {"size": (32, 32), "window_px": 5, "learning_rate": 5e-3}
ADVERSARY = {"adversarial_weight": 0.05, "discriminator_width": 4}
UNET = SMALL | {"width": 8, "depth": 2, "learning_rate": 2e-3}
CONV3D = SMALL | {"widths": (8, 8, 16, 16), "decoder_widths": (16, 8), "unshuffle": 2}
MOTION = {"size": (64, 64), "flows": 3, "cell_px": 4, "window_px": 12, "top": 3}
MEMAE = SMALL | {"widths": (8, 16), "length": 4, "items": 16, "unshuffle": 1}

# name of the detector [, what is special] -> options that make it small
TINY: dict[str, dict[str, Any]] = {
    "frame_prediction": UNET | {"gap": 2, "context": 2},
    "frame_prediction local": UNET | {"unshuffle": 1, "rule": "local"},
    "frame_prediction paper": UNET | ADVERSARY | {"channels": 3, "output": "tanh", "rule": "psnr"},
    "conv_autoencoder": SMALL | {"widths": (32, 32, 16), "length": 4, "rule": "window"},
    "conv_autoencoder paper": SMALL
    | {"widths": (16, 16, 8), "length": 4, "unpooling": "indices", "rule": "paper"},
    "conv3d_autoencoder": CONV3D,
    "conv3d_autoencoder paper": CONV3D | {"future": 8, "rule": "paper"},
    "memae_video": MEMAE,
    "memae_video paper": MEMAE | {"addressing": "dot", "rule": "paper"},
    "motion": MOTION,
    "fusion": {
        "size": (64, 64),
        "cell_px": 4,
        "top": 3,
        "motion": MOTION,
        "frame_prediction": UNET | {"gap": 2, "context": 2},
    },
}
