"""Source in statements: what a stranger may have written is a source, or nothing."""

import base64
import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit.source import MAX_BYTES, Source, descriptors, source_from

Descriptor = dict[str, object]
WORDS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}_x", fullmatch=True)
PATHS = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "/".join(words) + ".py")
TEXTS = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: f"x = {text!r}\r\n")


def descriptor(path: str = "a.py", content: bytes = b"x = 1\n", /, **other: object) -> Descriptor:
    return {
        "name": path,
        "digest": {"sha256": hashlib.sha256(content).hexdigest()},
        "mediaType": "text/x-python",
        "content": base64.b64encode(content).decode(),
        **other,
    }


@given(st.dictionaries(PATHS, TEXTS, min_size=1))
def test_a_source_comes_back_from_a_statement(files: dict[str, str]) -> None:
    source = Source(files)

    written = json.dumps(descriptors(source))

    assert source_from(json.loads(written)) == source


def test_a_file_is_a_resource_descriptor() -> None:
    source = Source({"b.py": "", "a.py": "x = 1\n"})

    assert descriptors(source) == [descriptor("a.py"), descriptor("b.py", b"")]


def test_parents_and_data_beside_the_source_are_left_out() -> None:
    parent = {"name": "base", "digest": {"sha256": "00" * 32}, "mediaType": "application/x"}

    assert source_from([parent, descriptor(), "x", None, {}]) == Source({"a.py": "x = 1\n"})
    assert source_from([parent]) is None


@pytest.mark.parametrize(
    "path",
    [
        "../a.py",
        "/a.py",
        "a/../b.py",
        "./a.py",
        "a//b.py",
        "a.py/b.py",
        ".py",
        "a",
        "a.txt",
        "",
        "a.pyc",
        "a.PY",
        "a.so",
        "x.pth",
        ".hidden.py",
        "a b.py",
        "a-b.py",
        "1.py",
        "a\\b.py",
        "a\0.py",
        "a\n.py",
        "\u202ea.py",
        "con.py",
        "p/aux.py",
        "a.b.py",
        "C:/a.py",
        "a.py/",
        "mgit/errors.py",
        "mgit.py",
        "__main__.py",
        "__init__.py",
        "site-packages/a.py",
        "~/a.py",
        "a" * 300 + ".py",
        "d/" * 300 + "a.py",
        "\ud800.py",
        "a/.py",
        "a.py\n",
    ],
)
def test_a_path_that_is_not_a_module_s_is_refused(path: str) -> None:
    assert source_from([descriptor(), descriptor(path)]) is None


WRONG: dict[str, Callable[[], object]] = {
    "no list": descriptor,
    "none": list,
    "null": lambda: None,
    "number": lambda: 7,
    "text": lambda: "text/x-python",
    "another digest": lambda: [descriptor(digest={"sha256": "00" * 32})],
    "upper case digest": lambda: [
        descriptor(digest={"sha256": hashlib.sha256(b"x = 1\n").hexdigest().upper()})
    ],
    "another algorithm": lambda: [
        descriptor(digest={"sha512": hashlib.sha512(b"x = 1\n").hexdigest()})
    ],
    "no digest": lambda: [descriptor(digest=None)],
    "no base64": lambda: [descriptor(content="x = 1\n")],
    "base64 with a space": lambda: [descriptor(content="eCA9 IDEK")],
    "no ASCII": lambda: [descriptor(content="ä")],
    "no text": lambda: [descriptor(content=["x"])],
    "no content": lambda: [descriptor(content=None)],
    "no name": lambda: [descriptor(name=None)],
    "not UTF-8": lambda: [descriptor("a.py", b"\xff")],
    "surrogates": lambda: [descriptor("a.py", b"\xed\xa0\x80")],
    "another encoding": lambda: [descriptor("a.py", b"# coding: utf-7\n")],
    "no Python": lambda: [descriptor(), descriptor("b.py", b"def f(:")],
    "no text file": lambda: [descriptor("a.py", b"x = 1\0")],
    "nested too deep": lambda: [descriptor("a.py", b"x = " + b"-" * 10**5 + b"1")],
    "twice": lambda: [descriptor(), descriptor()],
    "twice, different": lambda: [descriptor(), descriptor("a.py", b"y = 1\n")],
    "one bad": lambda: [descriptor(), descriptor("b.py", digest={"sha256": ""})],
    "too long": lambda: [descriptor("a.py", b" " * (MAX_BYTES + 1))],
    "too long together": lambda: [
        descriptor(f"{name}.py", b" " * (MAX_BYTES // 2 + 1)) for name in "ab"
    ],
    "too many": lambda: [descriptor(f"a{number}.py", b"") for number in range(1001)],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_source_is_none(wrong: str) -> None:
    assert source_from(WRONG[wrong]()) is None


def test_as_much_as_may_travel_does() -> None:
    most = Source({"a.py": "#" * (MAX_BYTES - 5), "b.py": "#" * 5})

    assert source_from(descriptors(most)) == most


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=9), inner)),
    max_leaves=8,
)
FIELDS = st.sampled_from(["name", "digest", "content", "mediaType", "annotations"])


@given(st.dictionaries(FIELDS, JSON), st.dictionaries(FIELDS, st.none()))
def test_nothing_that_is_json_breaks_the_reader(
    changed: dict[str, object], removed: dict[str, None]
) -> None:
    described = {k: v for k, v in {**descriptor(), **changed}.items() if k not in removed}

    found = source_from([described])

    assert found is None or list(found.files) == [described["name"]]
