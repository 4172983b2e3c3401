"""Is everything in this copy as it should be, whom does damage affect, and how it becomes whole."""

from mgit.repair.affecting import Damage, Lost
from mgit.repair.checking import Report, check
from mgit.repair.mending import Healed, Mended, mend

__all__ = ["Damage", "Healed", "Lost", "Mended", "Report", "check", "mend"]
