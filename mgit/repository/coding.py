"""How a repository wants its new chunks stored."""

from mgit.codecs import entropy
from mgit.errors import UsageError
from mgit.repository.handle import Repository
from mgit.store import Coding, Effort

_OPENZL = "openzl"


def coding_of(repository: Repository, effort: Effort = Effort.NORMAL) -> Coding:
    """Returns how new chunks are stored: with ``effort``, and as the settings say.

    Raises:
        UsageError: The setting ``entropy-coder`` names one that is not installed, or not known.
    """
    wanted = repository.settings().get("entropy-coder")
    if wanted is None:
        return Coding(effort)
    where = repository.folder / "config.toml"
    if wanted != _OPENZL:
        raise UsageError(
            f"entropy-coder is {wanted!r} in {where}",
            hint=f'write "{_OPENZL}", or leave it out for none',
        )
    if not entropy.is_available():
        raise UsageError(
            f"{where} asks for the entropy coder {_OPENZL}, which is not installed",
            hint=f"pip install 'mgit-models[{_OPENZL}]', or take the line out of the settings",
        )
    return Coding(effort, has_openzl=True)
