"""What holds for all tests: Hypothesis without its clock, and Ctrl-C that is heard.

How long an example takes on a busy machine says nothing about the code. CI asks the same examples each time, so that a
change is judged by what it changed; everywhere else they are new ones.
"""

import os
import signal

from hypothesis import HealthCheck, settings

# A shell without job control lets what it starts in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "unhurried", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
