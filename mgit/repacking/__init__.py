"""What nobody needs any more, and how it goes: in two phases, so that nobody loses what they read.

First what is needed of a pack that holds much else is written into new packs, and the old one is
*condemned*. Later, when everybody has had time to look again, condemned packs are removed, after
looking once more whether everything that is kept can be read without them. Packs that are written
anew for being smaller go the same way.
"""

from mgit.repacking.collecting import GRACE, Collected, collect
from mgit.repacking.condemning import install_and_condemn, removable, remove_due
from mgit.repacking.lossy import Quantisation, QuantisedModel, repack_lossy
from mgit.repacking.plan import Plan, plan_for
from mgit.repacking.quantising import Absolute, Bound, Loss, Relative
from mgit.repacking.reaching import REVIVABLE, Kept, reach, require_collectable
from mgit.repacking.replacing import write_replacements
from mgit.repacking.rewriting import Repacked, repack

__all__ = [
    "GRACE",
    "REVIVABLE",
    "Absolute",
    "Bound",
    "Collected",
    "Kept",
    "Loss",
    "Plan",
    "Quantisation",
    "QuantisedModel",
    "Relative",
    "Repacked",
    "collect",
    "install_and_condemn",
    "plan_for",
    "reach",
    "removable",
    "remove_due",
    "repack",
    "repack_lossy",
    "require_collectable",
    "write_replacements",
]
