"""Recipes that come with mgit: ``mgit build NAME --parent BASE --recipe prune --arg fraction=0.5``.

They need numpy and nothing else. A change of what one of them computes gives it a new revision.
"""

from mgit.recipes.shrinking import cast, prune
from mgit.recipes.weighing import average

__all__ = ["average", "cast", "prune"]
