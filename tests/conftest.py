"""How hard property tests try: 50 cases, or 500 under MGIT_HYPOTHESIS=long (`make test-all`)."""

import os

from hypothesis import settings

# No deadline: how long a case takes says more about the machine than about the code.
settings.register_profile("short", deadline=None, max_examples=50, print_blob=True)
settings.register_profile("long", deadline=None, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("MGIT_HYPOTHESIS", "short"))
