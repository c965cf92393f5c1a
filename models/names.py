"""Every detector's name, by what it judges: for whoever names one and must not import torch."""

VIDEO = (
    "frame_prediction",
    "conv_autoencoder",
    "conv3d_autoencoder",
    "memae_video",
    "motion",
    "fusion",
)
STILLS = (
    "cae",
    "vae",
    "aesc",
    "adae",
    "deep_svdd",
    "inr",
    "memae",
    "svdd",
    "cutpaste",
    "nsa",
    "padim",
    "patchcore",
    "anogan",
    "fanogan",
    "egbad",
    "ganomaly",
    "skip_ganomaly",
)
