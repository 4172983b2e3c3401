"""The expression language for a set of nodes: ``descendants(bert-base) & tag:legal``.

Text becomes an expression (``parse``); an expression and the facts of one repository become a set
(``evaluate``). Weights are never touched. ::

    selector     = union ;
    union        = intersection, { "|", intersection } ;
    intersection = operand, { "&", operand } ;
    operand      = "~", operand | "(", union, ")" | call | prefixed | word ;
    call         = function, "(", [ union, { ",", union }, [ ",", number ] ], ")" ;
    function     = ? a key of FUNCTIONS; its usage says what it takes ? ;
    number       = ? 1 to 999999 ? ;
    prefixed     = ? a key of PREFIXES ?, ":", ( value | glob ) ;
    word         = [ remote, ":" ], ( name | side | version | unrecognised | glob ) | id ;
    side         = name, "@", label ;             (* one target of a conflicted name *)
    version      = name, "@v", number ;
    unrecognised = "@", label, "/", name ;        (* an entry of a key without the role *)
    id           = ? 6 or more hexadecimal digits, or sha256: and 64 of them ? ;

``~`` binds tighter than ``&``, ``&`` tighter than ``|``; "a without b" is ``a & ~b``. Space between
tokens is free; a word and a prefixed value have none. In a glob ``*`` (any characters) and ``?``
(one character) stop at ``/`` and ``**`` does not. A glob that matches nothing is the empty set; a
word that stands for nothing is an error.
"""

from mgit.selectors.evaluate import FUNCTIONS, PREFIXES, Facts, Nodes, evaluate
from mgit.selectors.expression import And, Call, Expression, Not, Or, Prefixed, Word
from mgit.selectors.parse import MAX_CHARACTERS, MAX_DEPTH, parse

__all__ = [
    "FUNCTIONS",
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "PREFIXES",
    "And",
    "Call",
    "Expression",
    "Facts",
    "Nodes",
    "Not",
    "Or",
    "Prefixed",
    "Word",
    "evaluate",
    "parse",
]
