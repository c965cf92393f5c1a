"""What an export says of made pictures, told where it was exported and asked again where it runs.

Another processor, or another version of a runtime, may compute a graph wrongly and say nothing of
it: OpenVINO 2026.4 made noise of an int8 graph where there is no VNNI.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.runtimes.runtime import Runtime

if TYPE_CHECKING:
    from monitor.runtimes.exported import Facts

Answers = dict[str, list[float]]

ASKED = 2  # clips, one at a time
# Of the largest answer. Kernels that are right differ by rounding: 1e-5, and in int8 by 1e-3.
# What is for bf16 may be computed in fp32.
TOLERANCES = {"fp32": 0.01, "bf16": 0.2, "int8": 0.02}


def made_clips(spec: ClipSpec, count: int) -> NDArray[np.uint8]:
    """Gratings that drift, (count, T, C, H, W): alike everywhere, with movement to be found."""
    height, width = spec.size
    clip, time, plane, y, x = np.ogrid[:count, : spec.length, : spec.channels, :height, :width]
    fine = np.sin(2 * np.pi * (5 * x / width + 3 * y / height) + 0.4 * time + clip + plane)
    wide = np.sin(2 * np.pi * (2 * y / height - x / width) - 0.3 * time + 2 * clip + plane / 2)
    clips: NDArray[np.uint8] = np.rint(127.5 + 70 * fine + 50 * wide).astype(np.uint8)
    return clips


def answers_of(runtime: Runtime, spec: ClipSpec) -> Answers:
    """Its scores of some made clips, and the means of its maps; raises as `examine`."""
    found = [runtime.examine(clip[None]) for clip in made_clips(spec, ASKED)]
    return {
        "scores": [float(one.scores[0]) for one in found],
        "maps": [float(one.maps.mean()) for one in found],
    }


def disagreement(facts: "Facts", runtime: Runtime) -> str | None:
    """How its answers differ from those that the export carries; None: they do not, or it has none.

    Raises:
        GraphError: If it fails at a clip.
    """
    if facts.answers is None:
        return None
    found, most = answers_of(runtime, facts.spec), TOLERANCES[facts.precision]
    for what, known in facts.answers.items():
        wanted, got = np.asarray(known), np.asarray(found[what])
        share = float(np.abs(got - wanted).max() / max(float(np.abs(wanted).max()), 1e-9))
        if not share <= most:
            return (
                f"{what} of made pictures differ by {share:.1g} of what they were where it was "
                f"exported, expected {most:g} at most"
            )
    return None
