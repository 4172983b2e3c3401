"""Tags and notes: signed statements about nodes, which their key can take back."""

from collections.abc import Sequence

from mgit.digest import Digest
from mgit.errors import NotFoundError
from mgit.objects.grammar import check_tag
from mgit.provenance import Claim, note_statement, tag_statement, withdrawal
from mgit.repository import Repository, Step, now, record, require_member
from mgit.selection import Selection


def add_tags(repository: Repository, selector: str, tags: Sequence[str]) -> list[Digest]:
    """Gives tags to every node of a selection; returns the nodes that got one."""
    for tag in tags:
        check_tag(tag)
    with repository.writing():
        history = repository.history()
        require_member(repository, history, "a tag")
        selection = Selection(repository, history)
        statements = [
            tag_statement(selection.title(node), node, tag)
            for node in sorted(selection.nodes(selector))
            for tag in tags
            if tag not in selection.provenance.tags(node)
        ]
        if statements:
            step = Step(f"tag {selector} {' '.join(tags)}", statements=statements)
            record(repository, history, step)
    return sorted({s.subjects[0].ref.digest for s in statements})


def remove_tags(repository: Repository, selector: str, tags: Sequence[str]) -> list[Digest]:
    """Takes own tags back from every node of a selection; returns the nodes that lost one.

    Raises:
        NotFoundError: None of the nodes has a tag of these from your key.
    """
    with repository.writing():
        history = repository.history()
        key = repository.identity().key.public
        selection = Selection(repository, history)
        found: list[Claim] = [
            claim
            for node in sorted(selection.nodes(selector))
            for tag, claims in selection.provenance.tags(node).items()
            if tag in tags
            for claim in claims
            if claim.key == key
        ]
        if not found:
            raise NotFoundError(
                f"no node of {selector!r} has such a tag from you", hint=f"mgit show {selector}"
            )
        statement = withdrawal({claim.payload: claim.statement for claim in found})
        verb = f"tag --remove {selector} {' '.join(tags)}"
        record(repository, history, Step(verb, statements=[statement]))
    return sorted({subject.ref.digest for subject in statement.subjects})


def note(repository: Repository, selector: str, text: str) -> Digest:
    """Says something about one node; returns the node."""
    with repository.writing():
        history = repository.history()
        selection = Selection(repository, history)
        node = selection.one(selector)
        statement = note_statement(selection.title(node), node, text, written=now())
        record(repository, history, Step(f"note {selector}", statements=[statement]))
    return node
