"""Shared by the tests of the open route: what has to be installed for which of them."""

import importlib.util
import shutil

import pytest


def need(*modules):
    """Skip the calling test if a tool of the route is missing."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"the open route needs {', '.join(missing)} (make setup)")


def need_reference():
    """Skip unless g++ and AMD's headers are there."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    from hls.open.errors import Refused

    try:
        from hls.csim.ap_types import ap_types_dir

        return ap_types_dir()
    except (ImportError, Refused) as error:
        pytest.skip(f"AMD's headers are not there: {error}")
