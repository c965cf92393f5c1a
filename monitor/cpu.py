"""What this machine's processor is, and what it can do."""

import os
import platform
from contextlib import suppress
from math import ceil
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds in each period, or max


def cores() -> int:
    """How many of them this process may use: by its affinity, and by its container's quota."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):
        quota, period = QUOTA.read_text(encoding="utf-8").split()
        there = min(there or 1, ceil(int(quota) / int(period)))
    return there or 1


def cpu() -> str:
    """What it calls itself."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def has_vnni() -> bool | None:
    """Whether the CPU multiplies bytes in one step (VNNI, AVX-VNNI, AMX); None: cannot be told."""
    flags = _cpuinfo("flags").split()
    return any("vnni" in flag or flag == "amx_int8" for flag in flags) if flags else None


def has_bf16() -> bool | None:
    """Whether the CPU computes in bfloat16 (AVX512-BF16, AMX); None: cannot be told."""
    flags = _cpuinfo("flags").split()
    return any(flag in ("avx512_bf16", "amx_bf16") for flag in flags) if flags else None


def _cpuinfo(key: str) -> str:
    """The first value of that name in Linux's list; empty on other systems."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""
