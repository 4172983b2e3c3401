"""Who is in the story, and which models it is about: real ones, or tiny ones for a quick test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from story import Launch, Person, Words, expect, mgit_in_processes, mgit_in_this_process


@dataclass(frozen=True, slots=True)
class Family:
    """Where the first model comes from, and how team A trains and judges what is made from it.

    Attributes:
        about: What it is, for people.
        base: Words after ``relatives.py`` that write the checkpoint ``minilm``.
        project: File in team A's folder -> file beside this one that it is a copy of.
        executor: What a cascade runs on.
        is_judged: Whether the models mean something, so that they can be compared with the base.
        shows: What judging them shows.
        launch: How ``mgit`` is run.
    """

    about: str
    base: Words
    project: Mapping[str, str]
    executor: str
    is_judged: bool
    shows: str
    launch: Launch


REAL = Family(
    about="all-MiniLM-L6-v2 and relatives of it, 23 million parameters each",
    base=("base", "minilm"),
    project={
        "train.py": "training.py",
        "judging.py": "judging.py",
        "code_search.py": "code_search.py",
    },
    executor="ray",
    is_judged=True,
    shows="two fine-tunes beat the base model on unseen data; what was measured stays known",
    launch=mgit_in_processes,
)
TINY = Family(
    about="tiny models with random weights, in place of all-MiniLM-L6-v2 and its relatives",
    base=("tiny", "minilm"),
    project={"train.py": "tiny_training.py", "judging.py": "tiny_judging.py"},
    executor="process",
    is_judged=False,
    shows="each model is measured once, and held to gates; what was measured stays known",
    launch=mgit_in_this_process,
)


@dataclass(slots=True)
class Scene:
    """What the steps of the story share.

    Attributes:
        root: Folder in which everybody has a folder.
        family: The models.
        team_a: They own the base model.
        team_b: They work with it elsewhere.
        stranger: Has a copy, and no role.
        scores: Checkpoint -> mean reciprocal rank, where it was measured.
        added: Short id of a node -> the checkpoint folder that it was, or was written to.
    """

    root: Path
    family: Family
    team_a: Person
    team_b: Person
    stranger: Person
    scores: dict[str, float] = field(default_factory=dict)
    added: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def at(cls, root: Path, family: Family) -> "Scene":
        """Returns the scene as it begins, with empty folders below ``root``."""
        team_a, team_b, stranger = (
            Person(name, root, family.launch) for name in ("team-a", "team-b", "stranger")
        )
        for person in (team_a, team_b, stranger):
            person.folder.mkdir(parents=True)
        return cls(root, family, team_a, team_b, stranger)

    def add(self, person: Person, checkpoint: str, name: str, *words: str) -> None:
        """Lets a person add a checkpoint, and remembers which."""
        ran = person.mgit("add", checkpoint, name, *words)
        _, short, *_ = ran.out.split()
        self.added[short] = (person.folder / checkpoint).resolve()

    def build(self, person: Person, *commands: Words) -> None:
        """Lets a person build models, several at once, and keeps a copy of each to compare with."""
        lines = [("build", *words) for words in commands]
        if len(lines) == 1:
            person.mgit(*lines[0])
        else:
            person.mgit_at_once(*lines)
        for words in commands:
            self.keep(person, words[0], words[0])

    def keep(self, person: Person, name: str, folder: str) -> None:
        """Writes a model that was made in a repository to a new folder, and remembers which."""
        (node,) = nodes_of(person.ask("ls", name)).values()
        person.ask("export", name, folder)
        self.added[short_of(node)] = (person.folder / folder).resolve()

    def added_folder(self, node: str) -> Path:
        """Returns the checkpoint folder that was added as a node, given its whole id."""
        return self.added[short_of(node)]


def require_equal_folders(made: Path, original: Path) -> str:
    """Returns how much was compared: every file of both folders, byte for byte.

    Raises:
        ClaimError: They differ.
    """
    contents = {path: path.read_bytes() for path in _files(original)}
    found = {path.relative_to(made): path for path in _files(made)}
    expected = {path.relative_to(original): data for path, data in contents.items()}
    expect(f"{made} has the files of {original}", found.keys() == expected.keys())
    for relative, path in found.items():
        expect(f"{path} has the bytes of the original", path.read_bytes() == expected[relative])
    return f"{len(expected)} files, {sum(map(len, contents.values())):,} bytes"


def size_of(folder: Path) -> int:
    """Returns the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def short_of(node: str) -> str:
    """Returns the short form of a node's id."""
    return node.removeprefix("sha256:")[:12]


def nodes_of(listed: Any) -> dict[str, str]:
    """Returns name -> node of what ``mgit ls --json`` says."""
    return {row["name"]: row["node"] for row in listed["names"]}
