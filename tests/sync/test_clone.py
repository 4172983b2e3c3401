"""A copy of a repository, or of a part of it.

alice:  base@v1 <- base      legal (fine-tuned from base@v1)      other
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit import editing, sync
from mgit.adding import export
from mgit.errors import (
    AbsentError,
    DamagedError,
    MgitError,
    NotFoundError,
    RemoteError,
    TrustError,
    UsageError,
)
from mgit.objects import MetaObject, PackKind
from mgit.remote import Remote, connect
from mgit.repair import check
from mgit.repository import (
    Presence,
    Reason,
    Repository,
    absences,
    add_objects,
    presence,
)
from mgit.selection import Selection
from tests.family import Person, add, files, names, titles, tuned, weights
from tests.sync.wires import Wire, counting

BASE = weights("base")


@pytest.fixture
def alice(tmp_path: Path) -> Repository:
    repository = Person("alice", tmp_path).init()
    add(repository, "base", BASE)
    add(repository, "legal", tuned(BASE, "legal"), "base")
    add(repository, "base", tuned(BASE, "next"))
    add(repository, "other", weights("other"))
    return repository


@pytest.fixture
def bob(alice: Repository, tmp_path: Path) -> Person:
    assert alice.folder.is_dir()
    return Person("bob", tmp_path)


def exported(repository: Repository, selector: str, target: Path) -> dict[str, str]:
    export(repository, selector, target)
    return files(target)


def present(repository: Repository) -> dict[str, Presence]:
    history = repository.history()
    selection = Selection(repository, history)
    return {selection.title(d): presence(repository, n) for d, n in history.nodes.items()}


def test_a_copy_means_the_same_and_exports_the_same_bytes(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    his = bob.clone(str(tmp_path / "alice"))

    assert (his.id, names(his), titles(his)) == (alice.id, names(alice), titles(alice))
    for number, selector in enumerate(("base@v1", "base", "legal", "other")):
        hers = exported(alice, selector, tmp_path / f"hers {number}")
        assert exported(his, selector, tmp_path / f"his {number}") == hers
    assert check(his).is_clean
    assert absences(his) == {}


def test_a_copy_of_a_copy_is_one_too(bob: Person, tmp_path: Path) -> None:
    bob.clone(str(tmp_path / "alice"))

    carls = Person("carl", tmp_path).clone(str(tmp_path / "bob"))

    assert set(present(carls).values()) == {Presence.COMPLETE}
    assert check(carls).is_clean


def test_a_selective_copy_holds_the_weights_of_the_selection_only(
    bob: Person, tmp_path: Path
) -> None:
    his = bob.clone(str(tmp_path / "alice"), select="legal")

    bare = dict.fromkeys(("base@v1", "base", "other"), Presence.NODE_ONLY)
    assert present(his) == {"legal": Presence.COMPLETE, **bare}
    assert {absence.reason for absence in absences(his).values()} == {Reason.FILTERED}
    with pytest.raises(AbsentError, match="left out when this copy was made from origin"):
        export(his, "other", tmp_path / "out")
    assert check(his).is_clean


def test_a_selective_copy_stays_selective(alice: Repository, bob: Person, tmp_path: Path) -> None:
    his = bob.clone(str(tmp_path / "alice"), select="legal")
    add(alice, "legal", tuned(BASE, "legal 2"))
    add(alice, "other", weights("other 2"))

    fetched = sync.fetch(his)

    assert {change.name for change in fetched.moved} == {"legal", "other"}
    assert present(his)["legal"] is Presence.COMPLETE
    assert present(his)["other"] is Presence.NODE_ONLY


def test_a_copy_without_weights_reads_no_chunk(
    alice: Repository, bob: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(connect(str(tmp_path / "alice")))
    lead_over(monkeypatch, wire)

    his = bob.clone(str(tmp_path / "alice"), weights=False)

    packs = alice.store.catalog.packs
    indexes = [(packs[pack], stop) for pack, _, stop in wire.reads]
    ends_in_chunks = [
        i for i, stop in indexes if i.kind is PackKind.CHUNKS and stop <= i.bodies_bytes
    ]
    assert ends_in_chunks == []
    assert set(present(his).values()) == {Presence.WITHOUT_WEIGHTS}
    assert list((his.folder / "packs").glob("*.chunks")) == []
    assert check(his).is_clean


def lead_over(monkeypatch: pytest.MonkeyPatch, remote: Remote) -> None:
    monkeypatch.setattr("mgit.sync.cloning.connect", lambda _url: remote)


# --- what was left out comes later ---


def test_backfill_brings_weights_and_takes_back_why_they_were_absent(
    bob: Person, tmp_path: Path
) -> None:
    his = bob.clone(str(tmp_path / "alice"), weights=False)

    filled = sync.backfill(his, "legal | base")

    assert (filled.remotes, filled.nodes) == (("origin",), 2)
    assert filled.received_bytes > 0
    assert present(his)["other"] is Presence.WITHOUT_WEIGHTS
    assert len(absences(his)) == 2
    assert check(his).is_clean


def test_weights_that_vanish_after_a_backfill_are_lost_and_not_filtered(
    bob: Person, tmp_path: Path
) -> None:
    his = bob.clone(str(tmp_path / "alice"), weights=False)
    sync.backfill(his, "all()")
    for path in (his.folder / "packs").glob("*.chunks"):
        path.unlink()

    report = check(Repository.open(tmp_path / "bob", bob.home))

    assert not report.is_clean
    assert {lost.title for lost in report.lost} == {"base", "base@v1", "legal", "other"}


def test_backfill_of_what_is_here_asks_nobody(bob: Person, tmp_path: Path) -> None:
    his = bob.clone(str(tmp_path / "alice"))
    shutil.rmtree(tmp_path / "alice")

    assert sync.backfill(his, "all()").nodes == 0


def test_backfill_asks_the_next_remote_when_one_is_gone(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    his = bob.clone(str(tmp_path / "alice"), weights=False)
    (tmp_path / "stick").mkdir()
    sync.push(alice, str(tmp_path / "stick"))
    sync.add_remote(his, "stick", str(tmp_path / "stick"))
    shutil.rmtree(tmp_path / "alice")

    filled = sync.backfill(his, "all()")

    assert filled.remotes == ("origin", "stick")
    assert set(present(his).values()) == {Presence.COMPLETE}


def test_backfill_puts_together_what_several_remotes_hold(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    his = bob.clone(str(tmp_path / "alice"), weights=False)
    for place, selector in (("one", "legal"), ("two", "~legal")):
        (tmp_path / place).mkdir()
        sync.push(alice, str(tmp_path / place), selector)
        sync.add_remote(his, place, str(tmp_path / place))
    sync.remove_remote(his, "origin")

    sync.backfill(his, "all()")

    assert set(present(his).values()) == {Presence.COMPLETE}
    assert check(his).is_clean


def test_backfill_says_who_was_asked_in_vain(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    (tmp_path / "stick").mkdir()
    sync.push(alice, str(tmp_path / "stick"), "legal")
    his = bob.clone(str(tmp_path / "stick"), select="legal")

    with pytest.raises(
        AbsentError, match="1 of 1 nodes are still without weights after asking origin"
    ):
        sync.backfill(his, "other")

    reasons = {absences(his)[node].reason for node in names(his)["other"]}
    assert reasons == {Reason.WITHHELD}


# --- whose repository it is ---


def test_a_pinned_copy_is_of_that_repository_and_no_first_contact(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    editing.own_identity(bob.home, "bob")
    url = f"{tmp_path / 'alice'}#{alice.id.hex()[:12]}"

    cloned = sync.clone(url, tmp_path / "bob", bob.home)
    again = sync.clone(str(tmp_path / "alice"), tmp_path / "again", bob.home)

    assert (cloned.repository_id, cloned.is_first_contact) == (alice.id, False)
    assert again.is_first_contact is False
    assert sync.remotes(cloned.repository) == {"origin": str(tmp_path / "alice")}


def test_the_first_contact_is_told_once(bob: Person, tmp_path: Path) -> None:
    url = str(tmp_path / "alice")

    contacts = [
        sync.clone(url, tmp_path / name, bob.home).is_first_contact for name in ("one", "two")
    ]

    assert contacts == [True, False]


def wrong_pin(_alice: Repository, root: Path) -> str:
    return f"{root / 'alice'}#{'0' * 64}"


def short_pin(alice: Repository, root: Path) -> str:
    return f"{root / 'alice'}#{alice.id.hex()[:11]}"


def two_in_one_folder(_alice: Repository, root: Path) -> str:
    carl = Person("carl", root).init()
    add(carl, "theirs", weights("theirs"))
    shutil.copytree(root / "alice/.mgit/packs", root / "both/packs")
    shutil.copytree(root / "carl/.mgit/packs", root / "both/packs", dirs_exist_ok=True)
    return str(root / "both")


def unsigned(alice: Repository, root: Path) -> str:
    history = alice.history()
    (root / "forged/packs").mkdir(parents=True)
    forged = Repository.at(root / "forged", alice.home)
    with forged.store.writer(PackKind.META) as writer:
        objects: list[MetaObject] = [history.payloads[history.repository], *history.nodes.values()]
        add_objects(writer, forged, objects)
        forged.store.install(writer.finish())
    return str(root / "forged")


def empty(_alice: Repository, root: Path) -> str:
    (root / "empty").mkdir()
    return str(root / "empty")


REFUSED: dict[str, tuple[Callable[[Repository, Path], str], type[MgitError]]] = {
    "another repository than was named": (wrong_pin, NotFoundError),
    "an id of too few digits": (short_pin, NotFoundError),
    "two repositories and none named": (two_in_one_folder, UsageError),
    "a genesis document nobody signed": (unsigned, TrustError),
    "an empty folder": (empty, NotFoundError),
    "no folder": (lambda _alice, root: str(root / "gone"), RemoteError),
    "another machine": (lambda _alice, _root: "file://elsewhere.example/x", NotFoundError),
    "an unknown scheme": (lambda _alice, _root: "ext::sh://x", UsageError),
    "credentials": (lambda _alice, _root: "https://a:b@example.org/", UsageError),
    "a host that is an option": (lambda _alice, _root: "ssh://-oProxyCommand=x/y", UsageError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_copy_leaves_nothing_behind(
    alice: Repository, bob: Person, tmp_path: Path, case: str
) -> None:
    make_url, expected = REFUSED[case]
    url = make_url(alice, tmp_path)

    with pytest.raises(expected):
        sync.clone(url, tmp_path / "copy", bob.home)

    assert not (tmp_path / "copy").exists()
    assert not bob.home.seen(alice.id)


def test_one_of_two_repositories_in_a_folder_is_copied_without_the_other(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    both = two_in_one_folder(alice, tmp_path)

    his = bob.clone(f"{both}#{alice.id.hex()}")

    assert names(his) == names(alice)
    assert his.history().payloads.keys() == alice.history().payloads.keys()
    assert his.history().nodes.keys() == alice.history().nodes.keys()
    assert check(his).is_clean


@pytest.mark.parametrize("occupant", ["a file", "a repository"])
def test_a_folder_that_is_in_use_is_not_copied_into(
    alice: Repository, bob: Person, tmp_path: Path, occupant: str
) -> None:
    if occupant == "a file":
        (tmp_path / "copy").mkdir()
        (tmp_path / "copy" / "thesis.txt").write_text("x")
    else:
        Person("carl", tmp_path).init("copy")
    before = files(tmp_path / "copy")

    with pytest.raises(UsageError):
        sync.clone(str(alice.folder.parent), tmp_path / "copy", bob.home)

    assert files(tmp_path / "copy") == before


# --- interrupted ---


@pytest.mark.parametrize("calls_left", [1, 2, 3, 7, 13])
def test_a_copy_that_breaks_again_and_again_ends_and_reads_nothing_twice(
    alice: Repository, bob: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls_left: int
) -> None:
    uncut, cut = counting(tmp_path / "alice"), counting(tmp_path / "alice")
    lead_over(monkeypatch, uncut)
    Person("carl", tmp_path).clone(str(tmp_path / "alice"))

    for _ in range(uncut.reads + 1):
        lead_over(monkeypatch, Wire(cut, calls_left))
        try:
            his = bob.clone(str(tmp_path / "alice"))
            break
        except RemoteError:
            pass

    assert (cut.reads, cut.read_bytes) == (uncut.reads, uncut.read_bytes)
    assert names(his) == names(alice)
    assert check(his).is_clean


def test_a_copy_made_again_keeps_what_was_set_since(bob: Person, tmp_path: Path) -> None:
    his = bob.clone(str(tmp_path / "alice"))
    (tmp_path / "stick").mkdir()
    sync.add_remote(his, "stick", str(tmp_path / "stick"))
    before = sync.remotes(his)

    bob.clone(str(tmp_path / "alice"))

    assert sync.remotes(his) == before


def test_a_copy_that_finds_damage_has_no_names_and_goes_on_from_another_place(
    alice: Repository, bob: Person, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "alice", tmp_path / "mirror")
    victim = max((alice.folder / "packs").glob("*.chunks"), key=lambda p: p.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[0] ^= 1
    victim.write_bytes(data)

    with pytest.raises(DamagedError, match="arrived damaged"):
        bob.clone(str(tmp_path / "alice"))
    his = Repository.open(tmp_path / "bob", bob.home)
    assert names(his) == {}
    sync.fetch(his, str(tmp_path / "mirror"))

    assert names(his) == names(Repository.open(tmp_path / "mirror", bob.home))
    assert check(his).is_clean
