"""Settings of all tests."""

import os

from hypothesis import settings

# A fresh example is welcome at a desk; a landing must not depend on luck.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
