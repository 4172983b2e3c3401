"""The two digests of a source: what is trusted, and what is recorded."""

from mgit.source import Source


def test_digests_are_of_paths_and_texts() -> None:
    one = Source({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    swapped = Source({"a.py": "y = 1\n", "b.py": "x = 1\n"})
    joined = Source({"a.py": "x = 1\ny = 1\n", "b.py": ""})
    reordered = Source({path: one.files[path] for path in ("b.py", "a.py")})

    assert len({s.verbatim for s in (one, swapped, joined)}) == 3
    assert len({s.normalised for s in (one, swapped, joined)}) == 3
    assert one.verbatim == reordered.verbatim
    assert one.normalised == reordered.normalised


def test_a_comment_changes_what_is_trusted_and_not_what_is_recorded() -> None:
    bare, commented = Source({"a.py": "x = 1\n"}), Source({"a.py": "x = 1  # one\n"})

    assert bare.normalised == commented.normalised
    assert bare.verbatim != commented.verbatim


def test_digests_never_change() -> None:
    text = 'def f(p):\n    """Doc."""\n    return f"{p}"\n'
    source = Source({"p/__init__.py": "", "p/a.py": text})

    # SHA-256 of MessagePack of ["verbatim", files] and of ["normalised", files], by another writer
    assert source.verbatim.hex() == (
        "eb0ddbdc768a7f1b24afb66b60a256f9f5a8e3d63d2b31d93d81b436d3cd700d"
    )
    assert source.normalised.hex() == (
        "97de6d27d6699e53fe806d70961652a5e6b275b1032a82534ff62921936430aa"
    )
