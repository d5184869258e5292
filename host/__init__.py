import sys

if sys.version_info < (3, 10):  # before anything that such a Python can't even read
    sys.exit(
        "error: Python 3.10 or newer is needed, this is %d.%d; use the Python of a PYNQ 3.0 image or newer"
        % sys.version_info[:2]
    )
