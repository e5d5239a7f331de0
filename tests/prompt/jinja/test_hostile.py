"""Templates written to cause harm: each costs a TemplateError, little time and little memory."""

from __future__ import annotations

import resource
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.api.requests import FunctionCall, Message, ToolCall
from puna.errors import TemplateError
from puna.prompt.jinja import ChatTemplate, Limits

QUICK = Limits(seconds=0.3)
CHAT = [
    Message(role="user", content="hello"),
    Message(role="assistant", tool_calls=[ToolCall(function=FunctionCall(name="f"))]),
]


def doubled(start: str, step: str, times: int = 40, end: str = "{{ x }}") -> str:
    turn = "{% set ns.x = " + step.replace("X", "ns.x") + " %}"
    return (
        "{% set ns = namespace(x=" + start + ") %}{% for i in range(" + str(times) + ") %}"
        f"{turn}{{% endfor %}}{{% set x = ns.x %}}" + end
    )


LOOP = "{% for a in range(99999) %}"
END = "{% endfor %}"

ENDLESS = {
    "nested loops": LOOP * 4 + END * 4,
    "nested loops that print": LOOP * 3 + "x" + END * 3,
    "nested loops in a macro": "{% macro m() %}" + LOOP * 3 + END * 3 + "{% endmacro %}{{ m() }}",
    "a loop whose filter never matches": LOOP + "{% for b in range(99999) if false %}" + END * 2,
    "a long chain of lazy filters": (
        LOOP + "{{ range(99999) | map('string') | list | length }}" + END
    ),
    "doubling recursion": (
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    ),
    "a recursive loop": (
        "{% for a in [[1]] recursive %}{{ loop([[1]]) }}{{ loop([[1]]) }}{% endfor %}"
    ),
    "call blocks": (
        "{% macro m() %}{{ caller() }}{% endmacro %}"
        + LOOP * 2 + "{% call m() %}x{% endcall %}" + END * 2
    ),
    "select over a range": LOOP + "{{ range(99999) | select('==', -1) | first }}" + END,
    "compare long lists": doubled(
        "[0]", "X + X", 17, LOOP + "{% if x == x + [] %}{% endif %}" + END
    ),
    "compare long texts": doubled(
        "'a'", "X ~ X", 20, "{% set y = x ~ 'b' %}{% set z = x ~ 'c' %}"
        + LOOP * 2 + "{% if y < z %}{% endif %}" + END * 2,
    ),
    "search backwards": doubled("'a'", "X ~ X", 22, "{{ x.rfind('b' ~ x[:2000000]) }}"),
    "sum of lists": doubled("[[1]]", "X + X", 17, "{{ x | sum(start=[]) | length }}"),
    "many empty fields": doubled("'{0}'", "X ~ X", 20, "{{ x.format('') }}"),
    "sorting in a loop": LOOP + "{% set y = range(99999) | sort(reverse=true) %}" + END,
}  # fmt: skip

LARGE = {
    "text doubled with ~": doubled("'ab'", "X ~ X"),
    "text doubled with +": doubled("'ab'", "X + X"),
    "text doubled with *": doubled("'ab'", "X * 2"),
    "text times a number": "{{ 'a' * 9999999999 }}",
    "a number times a text": "{{ 9999999999 * 'a' }}",
    "list times a number": "{{ [1] * 9999999999 }}",
    "list doubled": doubled("[1]", "X + X", 60),
    "list of itself": doubled("['a']", "[X, X]", 60),
    "list of itself, as JSON": doubled("['a']", "[X, X]", 60, "{{ x | tojson }}"),
    "tuple of itself as a key": doubled("('a',)", "(X, X)", 60, "{{ {x: 1} }}"),
    "dict of itself": doubled("{'a': 1}", "{'a': X, 'b': X}", 60),
    "two of them compared": doubled("['a']", "[X, X]", 60, "{{ x == x }}"),
    "dict() of itself": doubled("{'a': 1}", "dict(a=X, b=X)", 60),
    "namespaces in namespaces": doubled("1", "namespace(a=X, b=X)", 60, "{{ [x] * 99999999 }}"),
    "deep list": doubled("[]", "[X]", 5000),
    "deep tuple": doubled("()", "(X,)", 5000, "{{ {x: 1} }}"),
    "joined list": doubled("['a' * 999999]", "X + X", 20, "{{ x | join('b') }}"),
    "joined by a method": doubled("['a' * 999]", "X + X", 16, "{{ ('b' * 9999).join(x) }}"),
    "joined by a long glue": "{{ range(99999) | join('b' * 99999) }}",
    "replaced": doubled("'a'", "X.replace('a', 'aa')"),
    "replaced by the filter": doubled("'a'", "X | replace('', 'aaaa')"),
    "centred": "{{ 'a' | center(999999999) }}",
    "centred by the method": "{{ 'a'.center(999999999) }}",
    "filled with zeros": "{{ 'a'.zfill(999999999) }}",
    "indented": doubled("'a\n'", "X ~ X", 16, "{{ x | indent(900) }}"),
    "indented widely": "{{ 'a' | indent(999999999, true) }}",
    "indented JSON": "{{ [[1]] | tojson(indent=999999999) }}",
    "separated JSON": "{{ [1, 2] | tojson(separators=('a' * 99999, 'b')) }}",
    "wide % field": "{{ '%999999999d' % 1 }}",
    "wide named % field": "{{ '%(a)999999999d' % {'a': 1} }}",
    "wide % field with a nested name": "{{ '%((a))999999999d' % {'(a)': 1} }}",
    "star % field": "{{ '%*d' % (999999999, 1) }}",
    "precise % field": "{{ '%.999999999f' % 1 }}",
    "wide field of the filter": "{{ '%999999999d' | format(1) }}",
    "one name many times": "{{ ('%(a)s' * 9999) % {'a': 'b' * 99999} }}",
    "wide format field": "{{ '{:999999999}'.format(1) }}",
    "wide nested format field": "{{ '{:{}}'.format(1, 999999999) }}",
    "one field many times": "{{ ('{0}' * 9999).format('b' * 99999) }}",
    "wide time": "{{ strftime_now('%999999999Y') }}",
    "long time": "{{ strftime_now('%c' * 999999) }}",
    "power": "{{ 10 ** 999999999 }}",
    "power of power": "{{ 2 ** (2 ** (2 ** (2 ** (2 ** 2)))) }}",
    "number doubled": doubled("3", "X * X"),
    "number too long to print": "{{ ('f' * 9999) | int(base=16) }}",
    "number in the source": "{{ 0x" + "f" * 9999 + " }}",
    "decimal in the source": "{{ " + "9" * 9999 + " }}",
    "range": "{{ range(999999999) | list }}",
    "batches": "{{ [1] | batch(999999999, 0) | list }}",
    "slices": "{{ [1] | slice(999999999) | list }}",
    "letters of a text": doubled("'ab'", "X ~ X", 20, "{{ x | list | length }}"),
    "words of a text": doubled("'a '", "X ~ X", 20, "{{ x.split() | length }}"),
    "lines of a text": doubled("'a\n'", "X ~ X", 20, "{{ x.splitlines() | length }}"),
    "copies of slices": doubled("'a'", "X ~ X", 24, "".join(
        f"{{% set a{i} = x[{i}:] %}}" for i in range(99)
    )),
    "captured text": LOOP + "{% set a %}" + LOOP + "x" * 9999 + END + "{% endset %}" + END,
    "captured by a filter": "{% filter upper %}" + LOOP + "x" * 9999 + END + "{% endfilter %}",
    "long output": LOOP + "x" * 9999 + END,
    "long output of a variable": "{% set b = 'c' * 99999 %}" + LOOP + "{{ b }}" + END,
    "rounded": "{{ 2 | round(-999999999, 'floor') }}",
    "long error": "{{ raise_exception('a' * 999999) }}",
}  # fmt: skip

NOSY = {
    "class of a text": "{{ ''.__class__.__mro__ }}",
    "class by subscript": "{{ ''['__class__']['__mro__'] }}",
    "class by format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "class by format_map": "{{ '{a.__class__}'.format_map({'a': ''}) }}",
    "class by map": "{{ [''] | map(attribute='__class__.__mro__') | list }}",
    "class by attr": "{{ '' | attr('__class__') }}",
    "globals of a function": "{{ raise_exception.__globals__['sys'] }}",
    "globals of a macro": "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "environment of a loop": "{% for a in [1] %}{{ loop._iterable.x }}{% endfor %}",
    "frame of a generator": "{{ ([1] | map('string')).gi_frame.f_globals }}",
    "base of a namespace": "{{ namespace().__init__.__globals__ }}",
    "self": "{{ self.__init__.__globals__ }}",
    "lipsum": "{{ lipsum.__globals__ }}",
    "cycler": "{{ cycler(1).__init__ }}",
    "append": "{{ messages.append(1) }}",
    "clear": "{{ messages[0].clear() }}",
    "bytes of a number": "{{ (1).to_bytes(999999999, 'big') }}",
    "keys of a dict": "{{ {}.fromkeys(range(9)) }}",
    "encode": "{{ 'a'.encode('idna') }}",
    "translate": "{{ 'a'.translate({97: 'b'}) }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "extends": "{% extends 'a' %}",
    "block": "{% block a %}{% endblock %}",
    "call of a number": "{{ 1() }}",
    "call of the undefined": "{{ nothing() }}",
    "attribute of the undefined": "{{ nothing.at.all }}",
    "unknown filter": "{{ 1 | pprint }}",
    "our own filters": "{{ 1 | touch }}",
    "endless recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "division by zero": "{{ 1 / 0 }}",
    "bad sort": "{{ [1, 'a'] | sort }}",
    "undefined as JSON": "{{ nothing | tojson }}",
    "not a number": "{{ 'a' + 1 }}",
    "break outside": "{% break %}",
    "unclosed": "{% for a in b %}",
    "deep brackets": "{{ " + "(" * 5000 + ")" * 5000 + " }}",
    "deep lists": "{{ " + "[" * 400 + "]" * 400 + " }}",
    "deep ifs": "{% if 1 %}" * 150 + "{% endif %}" * 150,
    "long sum": "{{ " + "1+" * 20000 + "1 }}",
    "very long": "a" * 200_000,
    "null": "{{ '\x00' }}{{",
    "surrogate": "{{ '\ud800' ",
}

ALL = {**ENDLESS, **LARGE, **NOSY}


@pytest.mark.parametrize("source", ALL.values(), ids=ALL)
def test_a_hostile_template_costs_an_error_and_nothing_else(source: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.thread_time()
    with pytest.raises(TemplateError) as caught:
        ChatTemplate.compile(source).render(CHAT, limits=QUICK)
    assert time.thread_time() - started < 2
    assert len(str(caught.value)) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 << 10  # KiB


def test_the_limit_of_steps_holds_without_a_clock() -> None:
    with pytest.raises(TemplateError, match="more than 1000 steps"):
        ChatTemplate.compile(ENDLESS["nested loops"]).render(CHAT, limits=Limits(steps=1000))


WORDS = [
    "{{", "}}", "{%", "%}", "{#", "#}", " for ", " in ", " if ", " else ", " endif ", " endfor ",
    " set ", " macro ", " endmacro ", " call ", " filter ", " not ", " is ", " and ", " recursive ",
    "generation", "endgeneration", "break", "x", "loop", "messages", "namespace(x=1)", ".x", "[0]",
    "[1:]", "(", ")", "[", "]", ",", ":", "'a'", "9", "0.5", "1e308", " ~ ", " + ", " * ", " ** ",
    " % ", " // ", " == ", "|", "tojson", "join", "map", "length", "range(9)", "string", "=", "-",
    "\n", "é", "\x00",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
def test_any_text_renders_or_is_refused(source: str) -> None:
    try:
        printed = ChatTemplate.compile(source).render(CHAT, limits=QUICK)
    except TemplateError:
        return
    assert isinstance(printed, str)


OPERANDS = st.sampled_from(
    ["1", "0", "-3", "2.5", "'ab'", "''", "[]", "[1, 'a']", "(1, 2)", "{'a': [1]}", "none", "true",
     "messages", "nothing", "range(5)", "messages[0]", "loop", "namespace(a=1)", "raise_exception"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["upper", "split", "join", "replace", "items", "get", "format", "center", "first", "last",
     "length", "list", "sort", "unique", "reverse", "round", "int", "float", "tojson", "indent",
     "batch", "slice", "sum", "min", "groupby", "map", "select", "trim", "truncate", "dictsort",
     "default", "e", "title", "wordcount", "startswith", "rfind", "index", "copy", "zfill"]
)  # fmt: skip


SIGNS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in"]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0:
        return draw(OPERANDS)
    inner = expressions(depth - 1)
    left, right, name = draw(inner), draw(inner), draw(NAMES)
    return draw(
        st.sampled_from(
            [
                *(f"({left} {sign} {right})" for sign in SIGNS),
                f"({left} | {name})",
                f"({left} | {name}({right}))",
                f"({left}).{name}({right})",
                f"({left})[{right}]",
                f"({left})[{right}:]",
                f"({left} if {right} else 1)",
                f"[{left}, {right}]",
                f"{{{left}: {right}}}",
            ]
        )
    )


@settings(max_examples=600, deadline=None)
@given(expressions())
def test_any_expression_prints_or_is_refused(expression: str) -> None:
    try:
        printed = ChatTemplate.compile("{{ " + expression + " }}").render(CHAT, limits=QUICK)
    except TemplateError:
        return
    assert isinstance(printed, str)
