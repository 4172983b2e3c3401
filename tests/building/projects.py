"""Recipes in a person's folder, and a person who builds with them: real files, keys and runs."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgit.adding import add
from mgit.building import Built, Request, Words, build
from mgit.canonical import Value
from mgit.digest import Digest
from mgit.loading import load
from mgit.objects import CREATION, Node, Statement
from mgit.provenance import Provenance
from mgit.repair import check
from mgit.repository import History, Repository
from tests.family import Person, write_checkpoint

HEAD = "import numpy as np\n\nimport mgit\n\n\n"
BASE = {"first": [0.5, -1.0, 2.0, 4.0], "second": [1.0, 2.0, 3.0, 4.0]}
ADD = """
@mgit.recipe(operation="finetune")
def tune(parents, *, by=1.0, seed):
    return {n: a + np.float32(by + seed) for n, a in parents["base"].arrays().items()}
"""


@dataclass(frozen=True)
class Maker:
    """A person with a repository and a folder in which they write recipes."""

    repository: Repository
    project: Path

    def write(self, text: str, path: str = "train.py") -> None:
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + text)

    def request(self, recipe: str = "train:tune", *parents: str, **more: Any) -> Request:
        return Request(recipe, parents or ("base",), roots=(self.project,), **more)

    def build(
        self,
        name: str | Mapping[str, str] = "tuned",
        recipe: str = "train:tune",
        *parents: str,
        executor: str = "inline",
        words: Words | None = None,
        **more: Any,
    ) -> Built:
        """Builds; returns the first of the models."""
        request = self.request(recipe, *parents, **more)
        return build(self.repository, name, request, words=words, executor=executor)[0]

    def tune(self, **arguments: Value) -> Built:
        return self.build(arguments=arguments)

    def values(self, selector: str) -> dict[str, list[Any]]:
        """Every tensor of a model, as lists of numbers."""
        with load(self.repository, selector) as model:
            return {name: array.tolist() for name, array in model.arrays().items()}

    def add(self, name: str, tensors: Mapping[str, np.ndarray[Any, Any]]) -> Digest:
        """Adds a checkpoint of numpy arrays."""
        source = write_arrays(self.project.parent / f"checkpoint of {name}", tensors)
        return add(self.repository, source, name).node

    def creation(self, node: Digest) -> Statement:
        (claim,) = Provenance(self.repository.history()).about(node, CREATION)
        return claim.statement

    def node(self, built: Built) -> Node:
        return self.repository.history().nodes[built.node]

    def state(self) -> tuple[object, ...]:
        """Everything that anybody could see of the repository."""
        history: History = self.repository.history()
        found = {name: history.names.resolve(name) for name in history.names.names()}
        return found, set(history.nodes), set(history.statements), set(history.ledger.entries)

    def is_sound(self) -> bool:
        return check(self.repository).is_clean


def maker(root: Path, name: str = "alice") -> Maker:
    """A person with a model: base."""
    repository = Person(name, root).init()
    add(repository, write_checkpoint(root / "checkpoints" / name, BASE), "base")
    project = root / f"project of {name}"
    project.mkdir()
    return Maker(repository, project)


def write_arrays(folder: Path, tensors: Mapping[str, np.ndarray[Any, Any]]) -> Path:
    """Writes one safetensors file of any types and shapes, and a config."""
    from mgit.tensors import from_array

    folder.mkdir(parents=True, exist_ok=True)
    at, header, body = 0, {}, b""
    for name, array in tensors.items():
        dtype, shape, raw = from_array(array)
        stop = at + len(raw)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, stop]}
        at, body = stop, body + bytes(raw)
    described = json.dumps(header).encode()
    content = struct.pack("<Q", len(described)) + described + body
    (folder / "model.safetensors").write_bytes(content)
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    return folder
