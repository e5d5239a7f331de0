"""Chat templates of the shapes that models bring, and what they find in the sandbox."""

from __future__ import annotations

from datetime import datetime

import pytest

from puna.api.fields import MediaData
from puna.api.requests import FunctionCall, Message, ToolCall
from puna.errors import TemplateError
from puna.prompt.jinja import ChatTemplate

CHATML = """\
{%- if messages[0]['role'] != 'system' -%}
    {{- '<|im_start|>system\\nBe kind.<|im_end|>\\n' -}}
{%- endif -%}
{% for message in messages %}
    {% if message.content is string %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{%- endif %}
"""

LLAMA = """\
{{- bos_token }}
{%- if not date_string is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% endif %}
{%- if messages[0].role == "system" %}
    {%- set system = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\n\\nToday: " ~ date_string ~ "\\n" ~ system ~ "<|eot|>" }}
{%- if tools is not none %}
    {%- for tool in tools %}
        {{- tool | tojson(indent=2) }}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if message.tool_calls %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}{{ call.arguments | tojson }}{{ "}" }}
    {%- elif message.role == "tool" %}
        {{- "<|tool|>" + message.name + ":" + message.content }}
    {%- else %}
        {{- "<|start|>" + message.role + "<|end|>\\n\\n" + message.content | trim + "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start|>assistant<|end|>\\n\\n" }}{%- endif %}
"""

STRICT = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}
{{ raise_exception('System role not supported') }}
{% endif %}
{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Roles must take turns') }}
{% endif %}
{% set role = 'model' if message.role == 'assistant' else message.role %}
{{ '<turn>' + role + '\\n' + message.content | trim + '</turn>\\n' }}{% endfor %}
{% if add_generation_prompt %}{{ '<turn>model\\n' }}{% endif %}"""

THINKING = """\
{%- macro answer(text) -%}
    {{- text.split('</think>')[-1].lstrip('\\n') if '</think>' in text else text -}}
{%- endmacro -%}
{%- set ns = namespace(last=0) %}
{%- for m in messages if m.role == 'user' %}{% set ns.last = 2 * loop.index0 %}{% endfor %}
{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {%- generation -%}
        {{- '[a]' ~ (answer(m.content) if loop.index0 < ns.last else m.content) ~ '[/a]' }}
        {%- endgeneration -%}
        {%- continue %}
    {%- endif %}
    {{- '[' ~ m.role[:1] ~ ']' ~ m.content ~ '[/' ~ m.role[0] ~ ']' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '[a]' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>' }}
    {%- elif reasoning_effort is defined %}{{ '<think effort=' ~ reasoning_effort ~ '>' }}
    {%- endif %}
{%- endif %}
"""


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    return Message(role="assistant", content=text)


def system(text: str) -> Message:
    return Message(role="system", content=text)


CALL = Message(
    role="assistant",
    thinking="not shown",
    tool_calls=[
        ToolCall(id="c1", function=FunctionCall(name="add", arguments={"b": "<é>", "a": [1, 2.5]}))
    ],
)
RESULT = Message(role="tool", content="3", tool_name="add", tool_call_id="c1")

RENDERED = {
    "chatml, one turn": (
        CHATML,
        [user("hi")],
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "chatml, own system": (
        CHATML,
        [system("S"), user("a"), assistant("b"), user("c")],
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
        "<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "llama, system and date": (
        LLAMA,
        [system(" S "), user(" a ")],
        "<s><|start|>system<|end|>\n\nToday: 02 Jan 2030\nS<|eot|>"
        "<|start|>user<|end|>\n\na<|eot|><|start|>assistant<|end|>\n\n",
    ),
    "llama, a call and its result": (
        LLAMA,
        [CALL, RESULT],
        "<s><|start|>system<|end|>\n\nToday: 02 Jan 2030\n<|eot|>"
        '{"name": "add", "parameters": {"b": "<é>", "a": [1, 2.5]}}<|tool|>add:3'
        "<|start|>assistant<|end|>\n\n",
    ),
    "strict": (
        STRICT,
        [user("a"), assistant(" b "), user("c")],
        "<s><turn>user\na</turn>\n<turn>model\nb</turn>\n<turn>user\nc</turn>\n<turn>model\n",
    ),
    "thinking, old thoughts cut": (
        THINKING,
        [user("a"), assistant("<think>x</think>\nb"), user("c")],
        "[u]a[/u][a]b[/a][u]c[/u][a]",
    ),
}


@pytest.mark.parametrize(("source", "messages", "prompt"), RENDERED.values(), ids=RENDERED)
def test_templates_of_real_shapes(source: str, messages: list[Message], prompt: str) -> None:
    made = ChatTemplate.compile(source).render(
        messages, bos="<s>", eos="</s>", now=lambda: datetime(2030, 1, 2)
    )
    assert made == prompt


REFUSED = {
    "a system message": ([system("S")], "chat template: line 2: System role not supported"),
    "two users": ([user("a"), user("b")], "chat template: line 6: Roles must take turns"),
}


@pytest.mark.parametrize(("messages", "text"), REFUSED.values(), ids=REFUSED)
def test_a_template_may_refuse_a_chat(messages: list[Message], text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        ChatTemplate.compile(STRICT).render(messages)
    assert str(caught.value) == text


THINK: dict[str, tuple[bool | str | None, str]] = {
    "absent": (None, ""),
    "off": (False, "<think>\n\n</think>"),
    "on": (True, ""),
    "a level": ("low", "<think effort=low>"),
}


@pytest.mark.parametrize(("think", "tail"), THINK.values(), ids=THINK)
def test_think_reaches_the_template(think: bool | str | None, tail: str) -> None:
    made = ChatTemplate.compile(THINKING).render([user("q")], think=think)
    assert made == "[u]q[/u][a]" + tail


def test_thinking_and_images_are_not_forwarded() -> None:
    shown = Message(role="assistant", content="c", thinking="t", images=[MediaData(b"i")])
    made = ChatTemplate.compile("{{ messages[0].keys() | join(' ') }}").render([shown])
    assert made == "role content"


PARTS = """\
{% for message in messages %}{{ message.role | capitalize }}:
{%- for part in message.content %}
{%- if part.type == 'image' %}<image>{% elif part.type == 'text' %} {{ part.text }}{% endif %}
{%- endfor %}<end>
{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"""
EITHER = "{% for m in messages %}{{ m.content if m.content is string else 'parts' }}{% endfor %}"


def test_a_template_that_reads_parts_alone_gets_them() -> None:
    chat = [user("[img-0]what?"), Message(role="assistant", content="a sun"), user("sure?")]
    made = ChatTemplate.compile(PARTS).render(chat)
    assert made == ("User: [img-0]what?<end>\nAssistant: a sun<end>\nUser: sure?<end>\nAssistant:")
    assert ChatTemplate.compile(EITHER).render(chat) == "[img-0]what?a sunsure?"


def test_a_call_is_an_object_with_an_object_for_arguments() -> None:
    made = ChatTemplate.compile("{{ messages | tojson }}").render([CALL, RESULT])
    assert made == (
        '[{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": '
        '{"name": "add", "arguments": {"b": "<é>", "a": [1, 2.5]}}, "id": "c1"}]}, '
        '{"role": "tool", "content": "3", "name": "add", "tool_call_id": "c1"}]'
    )


def test_tools_are_none_where_there_are_none() -> None:
    template = ChatTemplate.compile("{{ tools is none }} {{ tools | tojson }}")
    assert template.render([]) == "True null"
    assert template.render([], tools=[{"type": "function"}]) == 'False [{"type": "function"}]'


def test_the_generation_prompt_is_a_choice() -> None:
    made = ChatTemplate.compile(CHATML).render([system("S")], add_generation_prompt=False)
    assert made == "<|im_start|>system\nS<|im_end|>\n"


def test_the_same_source_is_compiled_once() -> None:
    assert ChatTemplate.compile("{{ 1 }}") is ChatTemplate.compile("{{ 1 }}")


# expression -> what it prints
EXPRESSIONS = {
    "{'b': 1, 'a': '<é>'} | tojson": '{"b": 1, "a": "<é>"}',
    "{'b': 1, 'a': 2} | tojson(sort_keys=true)": '{"a": 2, "b": 1}',
    "{'a': [1]} | tojson(indent=2)": '{\n  "a": [\n    1\n  ]\n}',
    "[1, 2] | tojson(separators=(',', ':'))": "[1,2]",
    "'é' | tojson(ensure_ascii=true)": '"\\u00e9"',
    "[1, 2.0, none, true, 'x']": "[1, 2.0, None, True, 'x']",
    "(1, 2)[0]": "1",
    "[1, 2, 3][1:]": "[2, 3]",
    "[1, 2, 3][::-1]": "[3, 2, 1]",
    "([1] + [2]) | join('-')": "1-2",
    "'a' ~ 1 ~ none ~ [2]": "a1None[2]",
    "'ab' * 2": "abab",
    "'%s-%03d' % ('a', 7)": "a-007",
    "'%(k)s%%' % {'k': 1}": "1%",
    "'%s:%d' | format('a', 1)": "a:1",
    "'{}-{x:>3}'.format(1, x=2)": "1-  2",
    "'a,b,,c'.split(',')": "['a', 'b', '', 'c']",
    "'a b'.split()[-1]": "b",
    "'a b c'.rsplit(' ', 1)": "['a b', 'c']",
    "'  x '.strip() ~ '|'": "x|",
    "'xaxa'.replace('x', 'y', 1)": "yaxa",
    "'xaxa' | replace('x', 'y')": "yaya",
    "', '.join(['a', 'b'])": "a, b",
    "'abc'.startswith('ab')": "True",
    "'a\nb' | indent(2)": "a\n  b",
    "'a' | center(3)": " a ",
    "{'a': 1}.get('b', 5)": "5",
    "{'b': 1, 'a': 2} | dictsort": "[('a', 2), ('b', 1)]",
    "{'a': 1} | items | list": "[('a', 1)]",
    "{'a': 1}.items() | list": "[('a', 1)]",
    "dict(a=1)": "{'a': 1}",
    "dict([('a', 1)], b=2)": "{'a': 1, 'b': 2}",
    "namespace(a=1).a": "1",
    "[{'a': 1}, {'b': 2}] | selectattr('b', 'defined') | map(attribute='b') | first": "2",
    "[3, 1, 2] | sort | last": "3",
    "[1, 2, 1] | unique | list": "[1, 2]",
    "[1, 2] | map('string') | join": "12",
    "none | selectattr('a') | list ~ (none | map('string') | list)": "[][]",
    "[1, 2] | sum": "3",
    "[{'a': 1}, {'a': 2}] | sum(attribute='a')": "3",
    "'abc' | reverse": "cba",
    "[1, 2, 3] | batch(2) | list": "[[1, 2], [3]]",
    "2.5 | round | int": "2",
    "'<a>' | e": "&lt;a&gt;",
    "'<a>' | safe": "<a>",
    "nothing | default('d')": "d",
    "nothing": "",
    "1 if false": "",
    "'b' in 'abc' and 2 in [1, 2]": "True",
    "7 // 2 ~ '-' ~ 7 % 4 ~ '-' ~ 2 ** 3": "3-3-8",
    "range(3) | list": "[0, 1, 2]",
    "strftime_now('%Y')": "2030",
    "'x' is string and 1 is number and [] is iterable and {} is mapping": "True",
    "raise_exception is defined": "True",
}


@pytest.mark.parametrize(("source", "text"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_what_templates_ask_for_is_there(source: str, text: str) -> None:
    template = ChatTemplate.compile("{{ " + source + " }}")
    assert template.render([], now=lambda: datetime(2030, 1, 2)) == text


STATEMENTS = {
    "blocks are trimmed": ("  {% if true %}\nx\n  {% endif %}\ny", "x\ny"),
    "a last newline goes": ("x\n", "x"),
    "loop variables": (
        "{% for a in 'abc' %}{{ loop.index }}{{ a }}{{ ',' if not loop.last }}{% endfor %}",
        "1a,2b,3c",
    ),
    "break": (
        "{% for a in 'abc' %}{% if a == 'b' %}{% break %}{% endif %}{{ a }}{% endfor %}",
        "a",
    ),
    "a filtered loop": ("{% for a in [1, 2, 3] if a != 2 %}{{ a }}{% endfor %}", "13"),
    "an empty loop": ("{% for a in [] %}x{% else %}none{% endfor %}", "none"),
    "unpacking": ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
    "tuple assignment": ("{% set a, b = 1, 2 %}{{ b }}{{ a }}", "21"),
    "recursive loop": (
        "{% for a in [1, [2, [3]]] recursive %}"
        "{% if a is number %}{{ a }}{% else %}({{ loop(a) }}){% endif %}{% endfor %}",
        "1(2(3))",
    ),
    "macro with defaults": (
        "{% macro m(a, b='x') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}",
        "1x12",
    ),
    "call block": (
        "{% macro m() %}[{{ caller(1) }}]{% endmacro %}{% call(a) m() %}{{ a }}{% endcall %}",
        "[1]",
    ),
    "captured text": ("{% set a %}x{{ 1 }}{% endset %}{{ a | upper }}", "X1"),
    "filter block": ("{% filter upper %}x{{ 'y' }}{% endfilter %}", "XY"),
    "with": ("{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", "1"),
    "namespace": (
        "{% set ns = namespace(n=0) %}{% for a in 'ab' %}{% set ns.n = ns.n + 1 %}{% endfor %}"
        "{{ ns.n }}",
        "2",
    ),
    "generation marks": ("a{% generation %}b{% endgeneration %}c", "abc"),
    "raw": ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
}


@pytest.mark.parametrize(("source", "text"), STATEMENTS.values(), ids=STATEMENTS)
def test_statements(source: str, text: str) -> None:
    assert ChatTemplate.compile(source).render([]) == text


def test_a_bad_template_names_its_line() -> None:
    with pytest.raises(TemplateError, match=r"^chat template: line 3: Encountered unknown tag"):
        ChatTemplate.compile("a\nb\n{% nonsense %}")


def test_a_long_chat_stays_within_the_limits() -> None:
    chat = [user("word " * 20_000), assistant("word " * 20_000)] * 20
    assert len(ChatTemplate.compile(THINKING).render(chat)) > 4_000_000
