"""What of a text counts as its program, the same under every version of Python."""

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mgit
from mgit.errors import UsageError
from mgit.source.normal_form import normal_text

# What is written -> what is left of it.
TABLE = {
    # comments
    "x = 1  # one\n": "x = 1\n",
    "# all\n": "",
    "#!/usr/bin/python\n# coding: utf-8\nx = 1\n": "x = 1\n",
    "x = [  # a\n    1,  # b\n    # c\n\n    2,\n]\n": "x = [\n    1,\n    2,\n]\n",
    "if x:  # why\n    # because\n    y\n# end": "if x:\n    y\n",
    "x = 1 # no newline": "x = 1\n",
    "x = '#'  # '\n": "x = '#'\n",
    # blank lines, trailing space, ends of lines
    "\n\nx = 1\n\n \n\t\ny = 2\n\n": "x = 1\ny = 2\n",
    "x = 1 \t \n\f\ny = 2\f\n": "x = 1\ny = 2\n",
    "x = 1\r\ny = 2\r\n": "x = 1\ny = 2\n",
    "x = 1\ry = 2\r": "x = 1\ny = 2\n",
    "\ufeffx = 1": "x = 1\n",
    "": "",
    "\n": "",
    # docstrings
    '"""Module."""\nx = 1\n': "x = 1\n",
    'def f():\n    """Doc."""\n    return 1\n': "def f():\n    return 1\n",
    'def f():\n    """Doc.\n\n  # c \n    """  # c\n    return 1\n': "def f():\n    return 1\n",
    'async def f():\n    r"\\d"\n    return 1\n': "async def f():\n    return 1\n",
    "class A:\n    \"a\" 'b'\n    x = 1\n": "class A:\n    x = 1\n",
    'class A:\n    ("a"  # c\n     "b")\n    x = 1\n': "class A:\n    x = 1\n",
    'def f(): "doc"; return 1\n': "def f(): return 1\n",
    'def f():\n    "doc"; x = 1; y = 2\n': "def f():\n    x = 1; y = 2\n",
    'def f():\n    "doc";  # c\n    x = 1\n': "def f():\n    x = 1\n",
    'def f():\n    "doc"; \\\n    x = 1\n': "def f():\n    x = 1\n",
    'def f():\n    "doc" \\\n\n    x = 1\n': "def f():\n    x = 1\n",
    'def f(): "dœc 🤖"; return "ü"\n': 'def f(): return "ü"\n',
    'def ä(ö): "ü"; return 1\n': "def ä(ö): return 1\n",
    'def f(): "doc"\n': "def f():\n",
    'class A:\n    """Doc."""\nx = 1\n': "class A:\nx = 1\n",
    '"a"\n"b"\n': '"b"\n',
    'def f():\n    f"no doc {1}"\n': 'def f():\n    f"no doc {1}"\n',
    'def f():\n    b"no doc"\n': 'def f():\n    b"no doc"\n',
    'def f():\n    x = 1\n    "no doc"\n': 'def f():\n    x = 1\n    "no doc"\n',
    'if x:\n    "no doc"\n': 'if x:\n    "no doc"\n',
    'def f():\n    "no" + "doc"\n': 'def f():\n    "no" + "doc"\n',
    'def f():\n    "no".doc\n': 'def f():\n    "no".doc\n',
    # strings stay
    'x = """a  \n\n  # b\n\t\n"""  \n': 'x = """a  \n\n  # b\n\t\n"""\n',
    'x = """a  \r\n\r\n"""': 'x = """a  \n\n"""\n',
    "x = 'a\\\n  # b  \\\n\\\n'\n": "x = 'a\\\n  # b  \\\n\\\n'\n",
    "x = '  ' ; y = \"  \"   \n": "x = '  ' ; y = \"  \"\n",
    'x = f"""{1}  \n\n# a\n{2}  \n"""\n': 'x = f"""{1}  \n\n# a\n{2}  \n"""\n',
    'x = f"{1:>{2}} {{#}}"  # c\n': 'x = f"{1:>{2}} {{#}}"\n',
    "x = f'{\"#\"}' # c\n": "x = f'{\"#\"}'\n",
    "x = f'ä🤖{1}  ö' 'ü'  # c\n": "x = f'ä🤖{1}  ö' 'ü'\n",
    'x = rf"\\{1}"; y = Rb"" # c\n': 'x = rf"\\{1}"; y = Rb""\n',
    'x = (f"a"  # c\n     "b  ")\n': 'x = (f"a"\n     "b  ")\n',
    # a backslash joins lines: the blank line that ends them is part of the program
    "x = 1 + \\\n    2\n": "x = 1 + \\\n    2\n",
    "x = 1 \\\n\n-y\n": "x = 1 \\\n\n-y\n",
    "x = 1 \\\n-y\n": "x = 1 \\\n-y\n",
    "x = 1 \\\n  # c\n\n\ny = 2\n": "x = 1 \\\n\ny = 2\n",
    "x = 1  # \\\n\n-y\n": "x = 1\n-y\n",
}

SINCE_3_12 = {
    'x = f"{1  # c\n}"  # d\n': 'x = f"{1  # c\n}"\n',
    'x = f"""{\n    1  # c  \n\n}"""  # d\n': 'x = f"""{\n    1  # c  \n\n}"""\n',
    'x = f"{"#"}"  # d\n': 'x = f"{"#"}"\n',
    'x = f"{f"{f"  #  "}"}"  # d\n': 'x = f"{f"{f"  #  "}"}"\n',
}


CHANGES = [
    ("x = 1\n", "x = 2\n"),
    ("x = 1\n", "x = 1.0\n"),
    ("x = 1\n", "y = 1\n"),
    ("x = 'a'\n", "x = 'a '\n"),
    ("x = 'a  b'\n", "x = 'a b'\n"),
    ("x = 'a # b'\n", "x = 'a # c'\n"),
    ('x = """a\n"""\n', 'x = """a \n"""\n'),
    ('x = """a\n"""\n', 'x = """a\n\n"""\n'),
    ('x = f"""{1}\n"""\n', 'x = f"""{1}\n\n"""\n'),
    ("if x:\n    y\n    z\n", "if x:\n    y\nz\n"),
    ("def f():\n    pass\nx = 1\n", "def f():\n    pass\n    x = 1\n"),
    ("x = 1 \\\n\n-y\n", "x = 1 \\\n-y\n"),
    ("def f(): 'a'\n", "def f(): 'a'; 'b'\n"),
    ("x = '\\r'\n", "x = '\\n'\n"),
]


@pytest.mark.parametrize("text", TABLE)
def test_what_is_left_of_a_text(text: str) -> None:
    assert normal_text(text, "a.py") == TABLE[text]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no such Python before (PEP 701)")
@pytest.mark.parametrize("text", SINCE_3_12)
def test_a_comment_inside_of_an_f_string_stays(text: str) -> None:
    assert normal_text(text, "a.py") == SINCE_3_12[text]


@pytest.mark.parametrize("change", CHANGES)
def test_another_program_is_another_text(change: tuple[str, str]) -> None:
    before, after = change

    assert normal_text(before, "a.py") != normal_text(after, "a.py")


@pytest.mark.parametrize(
    "text", ["x = (\n", "x = 'a\n", "if x:\ny\n", "\0", "(" * 300, "-" * 10**5, "'\ud800'"]
)
def test_what_is_no_python_has_no_normal_form(text: str) -> None:
    with pytest.raises(UsageError, match=r"a\.py.* cannot be read as Python"):
        normal_text(text, "a.py")


def test_a_warning_about_the_text_is_nobody_s_business() -> None:
    assert normal_text(r"x = '\d'  # c", "a.py") == "x = '\\d'\n"


@dataclass(frozen=True)
class Line:
    """A statement of one line; ``parts`` are its pieces between which a bracket is open."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    header: str
    body: tuple["Line | Block", ...]

    @property
    def has_docstring(self) -> bool:
        return self.header.startswith(("def", "class", "async"))


Statement: TypeAlias = Line | Block

LINES = [
    ("x = 1",),
    ("x = 2.5",),
    ("longer_name = x",),
    ("return_ = f(", "x,", "y)"),
    ("x = [", "'# no comment',", '"""  \n\n # a\n""",', "]"),
    ('x = """a  \n\n  b # c\n"""',),
    ('x = f"""{x}  \n\n  {y!r:>{x}} # c\n"""',),
    ("x = 'ü🤖' f'{x}#' \"ö\"",),
    ("x = 'a\\\n  b  \\\n\\\n'",),
    ("x = 1 + \\\n        2",),
    ("pass; pass",),
    ("g('; # ')",),
]
HEADERS = ["def f():", "async def ä(x, *, y='#'):", "class A:", "if x:", "while x == '  ':"]
STATEMENTS = st.recursive(
    st.sampled_from(LINES).map(Line),
    lambda inner: st.builds(
        Block, st.sampled_from(HEADERS), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=8,
)
PROGRAMS = st.lists(STATEMENTS, max_size=5)
BLANKS = ["", "", "", "\n", "  \n", "\f\n", "# c\n", '\t # \'""" \\\n', "        # deep\n\n"]
ENDS = ["", "", "  ", "\t", "\f", "  # c", '# \'""" \\', "  # ü  "]
DOCSTRINGS = [
    '"a"',
    '"""A.\n\n  b  # c\n"""',
    "r'ü' \"\"",
    "('a'  # c\n 'b')",
    "'a\\\n  b'",
    "'a';",
]


def plain(statements: Iterable[Statement], indent: str = "") -> str:
    """The program with nothing beside it."""
    written = ""
    for statement in statements:
        match statement:
            case Line(parts):
                written += indent + "\n".join(parts) + "\n"
            case Block(header, body):
                written += f"{indent}{header}\n" + plain(body, f"{indent}    ")
    return written


def noisy(statements: Iterable[Statement], chance: Random, indent: str = "") -> str:
    """The same program with comments, docstrings, blank lines and trailing space."""

    def blank() -> str:
        return chance.choice(BLANKS)

    def end() -> str:
        return chance.choice(ENDS) + "\n"

    written = blank()
    for statement in statements:
        match statement:
            case Line(parts):
                between = end() + blank() if len(parts) > 1 else ""
                written += indent + between.join(parts) + end() + blank()
            case Block(header, body):
                inner = f"{indent}    "
                written += f"{indent}{header}{end()}{blank()}"
                if statement.has_docstring and chance.random() < 0.7:
                    written += inner + chance.choice(DOCSTRINGS) + end()
                written += noisy(body, chance, inner)
    return written


@given(PROGRAMS, st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n", "\r"]))
def test_of_a_program_with_all_that_does_not_count_the_program_is_left(
    program: list[Statement], chance: Random, line_end: str
) -> None:
    bare = plain(program)
    written = chance.choice(["", "\ufeff"]) + noisy(program, chance)

    assert normal_text(bare, "a.py") == bare
    assert normal_text(written.replace("\n", line_end), "a.py") == bare
    assert normal_text(written.removesuffix("\n"), "a.py") == bare


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        match node:
            case (
                ast.Module(body=[ast.Expr(ast.Constant(str())), *rest])
                | ast.ClassDef(body=[ast.Expr(ast.Constant(str())), *rest])
                | ast.FunctionDef(body=[ast.Expr(ast.Constant(str())), *rest])
                | ast.AsyncFunctionDef(body=[ast.Expr(ast.Constant(str())), *rest])
            ):
                node.body = rest
            case _:
                continue
    return tree


def is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


REAL = sorted(Path(mgit.__file__).parent.rglob("*.py"))[::6] + sorted(
    Path(__file__).parent.glob("*.py")
)


@pytest.mark.parametrize("text", [*TABLE, *(path.read_text(encoding="utf-8") for path in REAL)])
def test_the_program_stays_the_same(text: str) -> None:
    left = normal_text(text, "a.py")

    program = ast.dump(without_docstrings(ast.parse(text.removeprefix("\ufeff"))))
    assert not is_python(left) or ast.dump(ast.parse(left)) == program
    assert (
        not is_python(left)
        or ast.get_docstring(ast.parse(left))
        or (normal_text(left, "a.py") == left)
    )
