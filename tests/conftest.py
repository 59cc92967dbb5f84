"""Hypothesis without its clock: how long an example takes on a busy machine says nothing about the code.

CI asks the same examples each time, so that a change is judged by what it changed; everywhere else they are new ones.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
