"""Tells the C library to keep freed memory for the next training step.

A training step frees and asks again for the same few hundred megabytes. glibc hands such blocks
back to the kernel and every page is faulted in again: about 40 % of the time of an LSTM step on
a CPU. Three settings, made once at the start of a process, keep the pages.
"""

import ctypes
import platform

# glibc's malloc.h names and values
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_SETTINGS = (
    (_M_MMAP_THRESHOLD, 1 << 30),
    (_M_TRIM_THRESHOLD, (1 << 31) - 1),
    (_M_TOP_PAD, 256 << 20),
)


def keep_freed_memory() -> bool:
    """Make malloc keep large freed blocks; call it before the first large tensor is made.

    Returns whether all settings were accepted; False, and no harm, where libc is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    accepted = [mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in _SETTINGS]
    return all(accepted)
