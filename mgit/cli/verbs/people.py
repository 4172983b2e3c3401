"""Who signs, who may do what, and who made a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mgit.cli.application import group, verb
from mgit.cli.page import Block, Cell, Page, Styled, Table, line, record, titled
from mgit.cli.session import session
from mgit.cli.verbs.words import OwnLabel, Selected, label_or_login

if TYPE_CHECKING:
    from mgit.objects import Member
    from mgit.viewing import OwnKey, Trail, TrailStep

_NOT_VERIFIED = 6

key = group("key", "Your signing keys.", "mgit key list", "mgit key new --as alice")
trust = group(
    "trust",
    "Who may do what in this repository.",
    "mgit trust list",
    "mgit trust add ed25519:9f8e… --role maintainer --as bob",
)

KeyLabel = Annotated[str, typer.Argument(metavar="LABEL", help="What you call the key.")]
Key = Annotated[
    str, typer.Argument(metavar="KEY", help="ed25519:…, or a label or fingerprint known here.")
]


@verb("whoami", "mgit whoami", "mgit whoami --json")
def whoami() -> Page:
    """Shows the key that signs, and what it may do here."""
    from mgit.viewing import whoami

    found = whoami(session().home(), session().repository_if_any())
    return Page(
        found, answer=(Table(_own_key(found.key, is_in_repository=bool(found.repository))),)
    )


def _own_key(own: "OwnKey", *, is_in_repository: bool) -> list[tuple[str, str]]:
    rows = [("label", own.label), ("key", own.key), ("fingerprint", own.fingerprint)]
    roles = ", ".join(own.roles) or "none"
    here = [("called here", own.called), ("roles here", roles), ("names", " ".join(own.names))]
    return [(what, value) for what, value in (*rows, *(here if is_in_repository else ())) if value]


@verb("key new", "mgit key new", "mgit key new --as alice-laptop", of=key)
def key_new(label: OwnLabel = "") -> Page:
    """Makes a signing key. Your first one is used from then on."""
    from mgit.signing import SigningKey, key_text

    made = session().home().add_key(SigningKey.generate(), label_or_login(label))
    public = key_text(made.key.public)
    return Page(
        {"label": made.label, "key": public}, done=(line(titled(made.label), "  ", public),)
    )


@verb("key list", "mgit key list", "mgit key list --json", of=key)
def key_list() -> Page:
    """Lists your keys; * marks the one that signs."""
    from mgit.viewing import own_keys

    keys = own_keys(session().home())
    rows: list[Sequence[Cell]] = [
        ("*" if row.is_in_use else " ", titled(row.label), row.key or row.problem) for row in keys
    ]
    return Page({"keys": keys}, answer=(Table(rows),))


@verb("key use", "mgit key use alice-laptop", "mgit key use alice", of=key)
def key_use(label: KeyLabel) -> Page:
    """Lets another of your keys sign from now on."""
    session().home().use_key(label)
    return Page({"label": label}, done=(line("from now on you sign as ", titled(label)),))


@verb(
    "key export",
    "mgit key export alice alice.pem",
    "mgit key export alice /media/stick/alice.pem",
    of=key,
)
def key_export(
    label: KeyLabel,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that does not exist yet.")],
) -> Page:
    """Writes a key to a file that only you can read; encrypted if MGIT_PASSPHRASE is set.

    Whoever has the file can sign as you.
    """
    home = session().home()
    pem = home.identity(label).key.to_pem(home.passphrase)
    target = session().path(file)
    _write_secret(target, pem)
    return Page(
        {"label": label, "file": target, "is_encrypted": bool(home.passphrase)},
        done=(line("wrote ", titled(label), " to ", str(target)),),
    )


def _write_secret(target: Path, content: bytes) -> None:
    from mgit.errors import UsageError
    from mgit.store.files import machine_errors, write_whole

    if target.exists():
        raise UsageError(f"{target} is there already", hint="give a file that does not exist yet")
    with machine_errors("writing the key"):
        write_whole(target, content, mode=0o600)


@verb(
    "key import",
    "mgit key import alice.pem --as alice",
    "mgit key import /media/stick/alice.pem",
    of=key,
)
def key_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What mgit key export wrote.")],
    label: Annotated[
        str, typer.Option("--as", metavar="LABEL", help="What you call it; else the file's name.")
    ] = "",
) -> Page:
    """Adds a key of yours from a file; MGIT_PASSPHRASE opens an encrypted one."""
    from mgit.signing import SigningKey
    from mgit.store.files import machine_errors

    home, source = session().home(), session().path(file)
    with machine_errors("reading the key"):
        pem = source.read_bytes()
    added = home.add_key(SigningKey.from_pem(pem, home.passphrase), label or source.stem)
    return Page({"label": added.label}, done=(line("added your key ", titled(added.label)),))


@verb(
    "trust add",
    "mgit trust add ed25519:9f8e… --role maintainer --as bob",
    "mgit trust add carol --role maintainer --names 'legal/*'",
    of=trust,
)
def trust_add(
    public: Key,
    roles: Annotated[
        list[str], typer.Option("--role", metavar="ROLE", help="maintainer or root; repeatable.")
    ],
    label: Annotated[
        str, typer.Option("--as", metavar="LABEL", help="What the repository calls it.")
    ] = "",
    names: Annotated[
        list[str] | None,
        typer.Option("--names", metavar="GLOB", help="Names it may move, else all; repeatable."),
    ] = None,
) -> Page:
    """Gives a key a role. A maintainer moves names, a root changes roles."""
    from mgit.editing import trust_add

    member = trust_add(
        session().repository(), public, role_names=roles, label=label, names=names or ("*",)
    )
    return Page(_member(member), done=(Table([_member_cells(member)]),))


@verb("trust list", "mgit trust list", "mgit trust list --json", of=trust)
def trust_list() -> Page:
    """Lists the keys that have a role here."""
    from mgit.editing import members

    found = members(session().repository())
    return Page(
        {"members": [_member(member) for member in found]},
        answer=(Table([_member_cells(member) for member in found]),),
    )


@verb("trust remove", "mgit trust remove bob", "mgit trust remove 9f8e7d6c", of=trust)
def trust_remove(public: Key) -> Page:
    """Takes all roles from a key. What it did until now stays; what it does later is void."""
    from mgit.editing import trust_remove

    member = trust_remove(session().repository(), public)
    return Page(_member(member), done=(line(titled(member.label), " has no role here any more"),))


@verb("trust folder", "mgit trust folder /srv/models", "mgit trust folder .", of=trust)
def trust_folder(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A repository.")],
) -> Page:
    """Allows you to write into a repository folder that belongs to another user."""
    from mgit.repository import Repository

    home = session().home()
    found = Repository.open(session().path(folder), home).folder
    home.trust_folder(found)
    return Page({"folder": found}, done=(line("you write into ", str(found), " from now on"),))


def _member(member: "Member") -> dict[str, object]:
    from mgit.signing import fingerprint, key_text

    roles = sorted(role.value for role in member.roles)
    return {
        "label": member.label,
        "key": key_text(member.key),
        "fingerprint": fingerprint(member.key),
        "roles": roles,
        "names": member.names,
    }


def _member_cells(member: "Member") -> list[Cell]:
    from mgit.signing import fingerprint

    roles = ", ".join(sorted(role.value for role in member.roles))
    return [titled(member.label), fingerprint(member.key)[:8], roles, " ".join(member.names)]


@verb("verify", "mgit verify qa", "mgit verify 'qa@v7' --json")
def verify(selector: Selected) -> Page:
    """Checks who signed each step from the roots down to a node. Exits 6 if one is not vouched for.

    The last step is the node itself.
    """
    from mgit.viewing import verify

    trail = verify(session().repository(), selector)
    return Page(
        record(trail, is_verified=trail.is_verified),
        answer=tuple(_trail(trail)),
        exit_code=0 if trail.is_verified else _NOT_VERIFIED,
    )


def _trail(trail: "Trail") -> list[Block]:
    bad = sum(1 for step in trail.steps if not step.is_verified)
    of = f"{len(trail.steps)} step{'' if len(trail.steps) == 1 else 's'}"
    verdict = f"not verified: {bad} of {of}" if bad else f"verified: {of}"
    return [
        Table([_step_cells(step) for step in trail.steps]),
        line(
            titled(trail.title), "  ", trail.node, "  ", Styled(verdict, "bad" if bad else "good")
        ),
    ]


def _step_cells(step: "TrailStep") -> list[Cell]:
    return [
        Styled("ok", "good") if step.is_verified else Styled("NO", "bad"),
        titled(step.title),
        step.node,
        step.operation,
        ", ".join(map(str, step.makers)),
        Styled(step.time[:10], "faint"),
        step.reason,
    ]
