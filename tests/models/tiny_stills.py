"""Options that make each still-image detector small enough for the laws."""

from typing import Any

STILL: dict[str, Any] = {"size": (32, 32), "learning_rate": 3e-3}
DEEP_SVDD: dict[str, Any] = {"widths": (16, 24), "latent": 16, "centre": "shared"}
CAE: dict[str, Any] = {"size": (32, 32), "learning_rate": 5e-3, "widths": (8, 16), "kernel": 3}
AESC = CAE | {"rates": (0.1, 0.3), "passes": 4}
NSA: dict[str, Any] = {"widths": (8, 16), "learning_rate": 1e-2, "foreign": 0.7}
GAN: dict[str, Any] = {"size": (32, 32), "width": 8}
ANOGAN = GAN | {"latent": 8, "search_steps": 20, "starts": 16, "learning_rate": 2e-3}
FANOGAN: dict[str, Any] = {"latent": 16, "encoder_share": 0.7, "encoder_learning_rate": 5e-3}
EGBAD = GAN | {"latent": 16, "learning_rate": 4e-3}

# name of the detector [, what is special] -> options that make it small
TINY_STILLS: dict[str, dict[str, Any]] = {
    "cae": CAE,
    "cae paper": CAE | {"latent": 16, "corruption": "none", "loss": "ssim", "rule": "paper"},
    "vae": CAE | {"latent": 16},
    "vae paper": CAE | {"latent": 16, "variance": "unit", "rule": "paper"},
    "aesc": AESC,
    "aesc fused": AESC | {"judged": "fused"},
    "aesc paper": AESC | {"corruption": "stain", "rule": "paper"},
    "memae": STILL | {"widths": (16, 24, 32), "items": 16},
    "memae paper": STILL | {"widths": (16, 24), "items": 16, "addressing": "dot", "rule": "paper"},
    "adae": STILL | {"widths": (16, 24), "latent": 8},
    "svdd": {"size": (32, 32)},
    "deep_svdd": STILL | {"widths": (16, 24), "latent": 8},
    "deep_svdd soft": STILL | DEEP_SVDD | {"objective": "soft-boundary", "warm_up": 10},
    "deep_svdd paper": STILL | DEEP_SVDD | {"head": "dense", "rule": "paper"},
    "inr": {"size": (32, 32), "width": 24, "layers": 2, "steps": 60, "points": 256},
    "cutpaste": STILL | {"widths": (8, 16, 32), "embedding": 16},
    "cutpaste crops": STILL | {"widths": (8, 16), "embedding": 16, "patch_px": 16, "stride_px": 4},
    "nsa": STILL | NSA,
    "nsa paper": STILL | NSA | {"skips": False, "rule": "mean", "foreground": True},
    "padim": {"size": (32, 32), "weights": "random", "kept": 32, "cell_px": 4},
    "patchcore": {"size": (32, 32), "weights": "random", "items": 400},
    "anogan": ANOGAN | {"discriminator_learning_rate": 5e-4},
    "fanogan": GAN | FANOGAN,
    "egbad": EGBAD | {"cycle_weight": 100.0},
    "ganomaly": GAN,
    "skip_ganomaly": GAN,
}
STEPS: dict[str, int] = {
    "aesc": 50,
    "aesc fused": 50,
    "aesc paper": 50,
    "cae": 50,
    "cae paper": 50,
    "anogan": 150,
    "fanogan": 150,
    "nsa": 150,
    "nsa paper": 150,
}  # of learning, where 100 are too few or too many
