"""Compiles CUDA C++ to PTX through NVRTC, which has no command line of its own.

usage: nvrtc.py LIBRARY < jobs.json
jobs: [{"source": file, "options": [...], "ptx": file}]; the first failure ends the run.
"""

import ctypes
import json
import sys

nvrtc = ctypes.CDLL(sys.argv[1])
nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p


def output(program, name):
    size = ctypes.c_size_t()
    check(getattr(nvrtc, f"nvrtcGet{name}Size")(program, ctypes.byref(size)))
    data = ctypes.create_string_buffer(size.value)
    check(getattr(nvrtc, f"nvrtcGet{name}")(program, data))
    return data.raw


def check(code):
    if code != 0:
        raise RuntimeError(nvrtc.nvrtcGetErrorString(code).decode())


for job in json.load(sys.stdin):
    with open(job["source"], "rb") as file:
        source = file.read()
    program = ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, job["source"].encode(), 0, None, None))
    options = [option.encode() for option in job["options"]]
    code = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = output(program, "ProgramLog").rstrip(b"\0").decode().strip()
    if code != 0 or "error" in log or "warning" in log:
        sys.exit(f"{job['source']} {' '.join(job['options'])}\n{log}")
    with open(job["ptx"], "wb") as file:
        file.write(output(program, "PTX").rstrip(b"\0"))
    check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))
