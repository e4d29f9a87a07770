"""Source code: every literal with the names that lead to it, in whatever language it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keybuzz.policy.document import Document, Kind, Setting
from keybuzz.policy.readers.code.syntax import Source
from keybuzz.policy.readers.named import images_of

if TYPE_CHECKING:
    from tree_sitter import Node as SyntaxNode

_STRINGS = frozenset(
    {
        "string",
        "template_string",
        "encapsed_string",
        "interpreted_string_literal",
        "raw_string_literal",
        "string_literal",
        "heredoc",
        "nowdoc",
    }
)
_NUMBERS = frozenset({"integer", "number", "int_literal", "decimal_integer_literal"})
_NAMING = {
    "assignment": ("left", "right"),
    "assignment_expression": ("left", "right"),
    "assignment_statement": ("left", "right"),
    "short_var_declaration": ("left", "right"),
    "named_expression": ("name", "value"),
    "keyword_argument": ("name", "value"),
    "default_parameter": ("name", "value"),
    "typed_default_parameter": ("name", "value"),
    "pair": ("key", "value"),
    "variable_declarator": ("name", "value"),
    "assignment_pattern": ("left", "right"),
    "public_field_definition": ("name", "value"),
    "field_definition": ("property", "value"),
    "enum_assignment": ("name", "value"),
    "simple_parameter": ("name", "default_value"),
    "property_element": ("name", "default_value"),
    "var_spec": ("name", "value"),
    "const_spec": ("name", "value"),
    "element_value_pair": ("key", "value"),
    "operator_assignment": ("left", "right"),
    "augmented_assignment": ("left", "right"),
}
"""A node that gives a name to a value: the fields of the two."""
_PAIRED = frozenset(
    {"array_element_initializer", "keyed_element", "const_element", "jsx_attribute"}
)
"""The same, where the grammar names no fields: the first child and the last."""
_SCOPES = frozenset(
    {
        "dictionary",
        "object",
        "array_creation_expression",
        "argument_list",
        "arguments",
        "hash",
        "literal_value",
        "class_body",
        "declaration_list",
        "parameters",
        "formal_parameters",
    }
)
_CALLS = frozenset(
    {
        "call",
        "call_expression",
        "function_call_expression",
        "method_invocation",
        "member_call_expression",
        "scoped_call_expression",
        "new_expression",
        "object_creation_expression",
    }
)
_ARGUMENTS = frozenset({"argument_list", "arguments"})
_KEYED = re.compile(
    r"(?:getenv|environ\.get|env|fetch|get|config|define|setdefault|set|put|add|append|param|parameter"
    r"|default|property|getProperty|setProperty|value|header|option|getOrDefault|lookup)\w{0,12}$",
    re.I,
)
"""Functions whose first argument is a name and whose second is its value, or what is taken without one."""
_WRAPPER = re.compile(
    r"\.(?:catch|default|getOrElse|or|orElse|unwrap_or|withDefault)$|(?:str|String|bytes|pulumi\.secret|(?<![a-z])Secret\w*|Number|parseInt|(?<![A-Za-z])int|quote\w*|lazy|trim|strip|Buffer\.from|URL|URI|parse)$"
)
_QUOTES = re.compile(r"[\w@$]{0,3}(?:\"\"\"|'''|\"|'|`)")


def read_source(path: str, text: str, language: str) -> Document:
    """Return the literals of a program as settings."""
    source = Source(language, text)
    settings = tuple(_settings(source))
    why = "" if not source.root.has_error or settings else f"is no {language} that can be read"
    return Document(
        path,
        Kind.CODE,
        text,
        settings,
        variables=tuple(s for s in settings if len(s.path) == 1 and not s.scope),
        images=images_of(settings),
        unjudged=why,
    )


def _settings(source: Source) -> Iterator[Setting]:
    for node in source.walk(*_STRINGS, *_NUMBERS):
        parent = node.parent
        if parent is None or parent.type in ("expression_statement", *_STRINGS):
            continue  # a docstring, or a part of another literal
        found = _path(source, node)
        if found is None:
            continue
        path, scope = found
        if node.type in _NUMBERS:
            if path:
                yield Setting(path, source.text(node), source.place(node), scope, tag="int")
        else:
            text, skipped = _literal(source, node)
            yield Setting(path, text, source.place(node, skipped), scope)


def _literal(source: Source, node: SyntaxNode) -> tuple[str, int]:
    """Return a literal without its quotes; what is filled in has the form `${expression}`."""
    raw = source.text(node)
    opening = _QUOTES.match(raw)
    skipped = len(opening[0]) if opening else 0
    mark = (
        opening[0].lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@$")
        if opening
        else ""
    )
    text = raw[skipped : len(raw) - len(mark)] if mark and raw.endswith(mark) else raw[skipped:]
    if node.type == "string" and any(child.type == "interpolation" for child in node.children):
        text = re.sub(r"#?\{([^{}]*)\}", r"${\1}", text)
    return text, skipped


def _path(source: Source, node: SyntaxNode) -> tuple[tuple[str, ...], int] | None:
    """Return the names that lead to a literal and the scope of the innermost; None for a literal that is a name."""
    names: list[str] = []
    scope = -1
    child, parent = node, node.parent
    while parent is not None:
        if parent.type in _SCOPES and scope < 0 and names:
            scope = source.place(parent).scope
        if parent.type in _ARGUMENTS and parent.parent is not None and parent.parent.type in _CALLS:
            given = _argument(source, parent.parent, parent, child)
            parent = parent.parent
        else:
            given = _name(source, parent, child)
        if given is None:
            return None
        if given == _CUT and not names:
            return (), 0
        if given and given != _CUT:
            names.append(given)
        child, parent = parent, parent.parent
    return tuple(reversed(names)), max(scope, 0)


_CUT = "\0"
"""The literal is used by something whose result has the name."""


def _name(source: Source, parent: SyntaxNode, child: SyntaxNode) -> str | None:
    """Return the name that a node gives to its child; "" when it gives none, None when the child is the name."""
    fields = _NAMING.get(parent.type)
    if fields is not None:
        name, value = (parent.child_by_field_name(field) for field in fields)
        if name is not None and name == child:
            return None if child.type in _STRINGS else ""
        return _called(source, name) if name is not None and value is not None else ""
    if parent.type in _PAIRED and parent.named_child_count > 1:
        name = parent.named_children[0]
        return (None if child.type in _STRINGS else "") if name == child else _called(source, name)
    if parent.type in (
        "subscript",
        "subscript_expression",
        "element_reference",
        "index_expression",
    ):
        return None
    return ""


def _argument(
    source: Source, call: SyntaxNode, arguments: SyntaxNode, argument: SyntaxNode
) -> str | None:
    """Return the name of the second argument of `get(NAME, value)`; None for the first, which is the name."""
    fields = ("function", "name", "method", "constructor")
    node = next((found for f in fields if (found := call.child_by_field_name(f))), None)
    called = source.text(node) if node is not None else ""
    given = [child for child in arguments.named_children if child.type != "comment"]
    first = given[0] if given else argument
    bare = first.named_children[0] if first.type == "argument" and first.named_children else first
    if _KEYED.search(called) and len(given) > 1 and bare.type in _STRINGS:
        return None if argument == first else _literal(source, bare)[0] or _CUT
    return "" if _WRAPPER.search(called) else _CUT


def _called(source: Source, name: SyntaxNode) -> str:
    """Return the last word of `a.b.c`, `a["c"]`, `$c`, `"c"`."""
    words = re.findall(r"[\w.-]+", source.text(name)[-120:])
    return str(words[-1]).rpartition(".")[2] if words else ""
