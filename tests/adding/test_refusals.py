"""Commands that cannot be done: told with the reason, and nothing has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import sync
from mgit.adding import Description, add
from mgit.errors import ConflictError, FormatError, MachineError, NotFoundError, UsageError
from mgit.repository import Repository
from tests.checkpoints import (
    f32,
    files_below,
    floats,
    home_of,
    noise,
    repository_of,
    safetensors,
    without_privileges,
    written,
)

MIB = 1 << 20


def saved(folder: Path, seed: int) -> Path:
    return written(folder / f"{seed}.safetensors", safetensors({"w": f32(floats(seed, 64))}))


def rewritten(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(-MIB, 2)
        opened.write(b"x" * MIB)


def longer(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"x")


def shorter(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(2 * MIB)


def replaced(file: Path) -> None:
    other = written(file.with_name("other"), file.read_bytes()[:-1] + b"x")
    other.replace(file)


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (rewritten, FormatError),
        (longer, FormatError),
        (shorter, FormatError),
        (replaced, FormatError),
        (gone, MachineError),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_not_taken(
    alice: Repository, tmp_path: Path, change: Callable[[Path], None], error: type[Exception]
) -> None:
    content = safetensors({"w": noise(1, 3 * MIB)})
    file = written(tmp_path / "in" / "m.safetensors", content)
    packs = files_below(alice.folder / "packs")

    def meddle(done: int, _total: int) -> None:
        if MIB <= done < 2 * MIB:  # once: behind the header and the first chunk
            change(file)

    with pytest.raises(error):
        add(alice, file.parent, "m", progress=meddle)

    assert files_below(alice.folder / "packs") == packs
    assert not list(alice.store.incoming.iterdir())
    assert not alice.history().names.names()
    written(file, content)
    assert add(alice, file.parent, "m").is_new


def test_without_a_key_nothing_is_read(alice: Repository, tmp_path: Path) -> None:
    before = files_below(alice.folder)
    keyless = Repository.at(alice.folder, home_of("nobody", tmp_path))

    with pytest.raises(NotFoundError, match="no signing key") as refused:
        add(keyless, tmp_path / "not even there", "m")

    assert "mgit key new" in refused.value.hint
    assert files_below(alice.folder) == before


@pytest.mark.parametrize(
    "name", ["", "Upper", "two words", "../up", "a..b", "/a", "a@b", "x" * 201]
)
def test_a_name_that_breaks_the_grammar_is_refused(
    alice: Repository, tmp_path: Path, name: str
) -> None:
    before = files_below(alice.folder)

    with pytest.raises(UsageError, match="is not a name"):
        add(alice, saved(tmp_path, 1), name)

    assert files_below(alice.folder) == before


def test_a_tag_that_breaks_the_grammar_is_refused_before_the_work(
    alice: Repository, tmp_path: Path
) -> None:
    before = files_below(alice.folder)

    with pytest.raises(UsageError, match="is not a tag"):
        add(alice, saved(tmp_path, 1), "m", description=Description(tags=["fine", "Not Fine"]))

    assert files_below(alice.folder) == before


def test_a_conflicted_name_takes_no_version_until_it_is_settled(
    alice: Repository, tmp_path: Path
) -> None:
    add(alice, saved(tmp_path, 1), "m")
    url = str(tmp_path / "elsewhere")
    elsewhere = sync.clone(str(alice.folder.parent), Path(url), alice.home).repository
    add(alice, saved(tmp_path, 2), "m")
    add(elsewhere, saved(tmp_path, 3), "m")
    sync.fetch(alice, url)
    both = alice.history().names.resolve("m")
    packs = files_below(alice.folder / "packs")
    assert len(both) == 2

    with pytest.raises(ConflictError, match="conflicted name") as refused:
        add(alice, saved(tmp_path, 4), "m")

    assert "mgit resolve m" in refused.value.hint
    assert files_below(alice.folder / "packs") == packs
    assert alice.history().names.resolve("m") == both
    assert add(alice, saved(tmp_path, 4), "other").is_new


def test_a_pack_that_cannot_be_opened_for_writing_is_told(shared_folder: Path) -> None:
    def step() -> object:
        repository = repository_of("bob", shared_folder)
        source = saved(shared_folder, 1)
        repository.store.incoming.mkdir(exist_ok=True)
        repository.store.incoming.chmod(0o500)
        try:
            return add(repository, source, "m")
        finally:
            repository.store.incoming.chmod(0o700)

    assert without_privileges(step) == "MachineError"


def test_a_file_that_may_not_be_read_is_told(shared_folder: Path) -> None:
    def step() -> object:
        repository = repository_of("bob", shared_folder)
        saved(shared_folder, 1).chmod(0)
        return add(repository, shared_folder / "1.safetensors", "m")

    assert without_privileges(step) == "MachineError"
