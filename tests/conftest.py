"""How hard property tests try: 50 cases, or 500 under MGIT_HYPOTHESIS=long (`make test-all`)."""

import os
import signal

from hypothesis import settings

# No deadline: how long a case takes says more about the machine than about the code.
settings.register_profile("short", deadline=None, max_examples=50, print_blob=True)
settings.register_profile("long", deadline=None, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("MGIT_HYPOTHESIS", "short"))

# A shell ignores Ctrl-C for what it runs in the background, and what that starts would inherit it:
# tests of interrupts would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
