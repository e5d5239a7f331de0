"""Answers held to a schema, a grammar or a regular expression, on a real model."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest

from puna.errors import BadRequest
from puna.runner.handle import ProcessEngine
from puna.runner.llama.rules import Rules
from puna.runner.protocol import Generation, LoadPlan, Piece, Sampling
from tests.fakes.ggufs import CONTROL_TYPE, make_tiny_llama, make_vocabulary
from tests.runner.test_engine import answer, order, with_engine

HOT = Sampling(temperature=1.0, seed=3)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    return LoadPlan(model=str(make_tiny_llama(path)), n_ctx=512, n_parallel=4)


LARK = 'start: SIGN? DIGITS "," NAME\nSIGN: /[+-]/\nDIGITS: /[0-9]{2,4}/\nNAME: /[a-c]{3}/\n'
GBNF = 'root ::= [+\\u002d]? digit{2,4} "," ("\\u0061" | [b-c]){3}\ndigit ::= [0-9]\n'
HELD: dict[str, tuple[dict[str, str], str]] = {
    "a regex": ({"regex": r"[+-]?[0-9]{2,4},[abc]{3}"}, r"[+-]?[0-9]{2,4},[abc]{3}"),
    "Lark": ({"grammar": LARK}, r"[+-]?[0-9]{2,4},[abc]{3}"),
    "GBNF, with numbered characters": ({"grammar": GBNF}, r"[+-]?[0-9]{2,4},[abc]{3}"),
    "beyond ASCII": ({"grammar": 'root ::= "\\u00e9" [\\U0001F600-\\U0001F602]'}, "é[😀-😂]"),
    "a rule that calls itself": ({"grammar": 'root ::= "a" root "b" | "ab"'}, r"a+b+"),
    "a list of words": ({"format": '{"enum": ["red", "blue"]}'}, r'"(red|blue)"'),
}


@pytest.mark.parametrize(("fields", "pattern"), HELD.values(), ids=HELD)
def test_answers_fit(plan: LoadPlan, fields: dict[str, str], pattern: str) -> None:
    async def use(engine: ProcessEngine) -> None:
        for seed in range(3):
            sampling = Sampling(temperature=1.0, seed=seed)
            text, end = await answer(engine, order("Once", 200, sampling=sampling, **fields))
            assert re.fullmatch(pattern, text), text
            assert end.reason == "stop"

    with_engine(plan, use)


@pytest.mark.parametrize(("fields", "pattern"), HELD.values(), ids=HELD)
def test_answers_fit_behind_an_outline(
    plan: LoadPlan, fields: dict[str, str], pattern: str
) -> None:
    """As where a thought comes before the answer."""

    async def use(engine: ProcessEngine) -> None:
        held = order("Once", 200, sampling=HOT, outline='start: "So: " @answer\n', **fields)
        text, end = await answer(engine, held)
        assert re.fullmatch(f"So: ({pattern})", text), text
        assert end.reason == "stop"

    with_engine(plan, use)


def test_numbered_characters_are_read_everywhere_in_gbnf() -> None:
    """The converter would misread `\\u000a` as a lone `a`, and cut `\\u0000` to nothing."""
    grammars = {
        r'root ::= "\u000a"': r'"\x0a"',
        r"root ::= [\u0000-\u001f]": r"/[\x00-\x1f]/",
        r'root ::= "\U0001F600"': '"😀"',
        r'root ::= "\\u0041"': r'"\\u0041"',
        r'root ::= "\x22"': r'"\x22"',
    }
    for gbnf, lark in grammars.items():
        rules = Rules.of(Generation(prompt="", grammar=gbnf))
        assert rules is not None
        assert f"start: {lark}\n" in rules.grammar


DEEP = "start: a0\n" + "".join(f"a{n}: a{n + 1}\n" for n in range(498)) + 'a498: "x"\n'
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no rule root": ({"grammar": 'x ::= "a"'}, "grammar refused: No 'root' rule"),
    "an unknown rule": ({"grammar": "root ::= foo"}, "grammar refused: Rule 'foo' not found"),
    "no grammar at all": ({"grammar": "hello there"}, "grammar refused: Expected ::="),
    "half an escape": ({"grammar": 'root ::= "\\'}, "grammar refused"),
    "bad Lark": ({"grammar": "start: ("}, "grammar refused"),
    "GBNF nested too deep": ({"grammar": "root ::= " + "(" * 9000}, "nested too deep"),
    "Lark nested too deep": ({"grammar": "start: " + "(" * 9000}, "too deep"),
    "a line that is no rule": ({"grammar": "a" * 60_000}, "grammar refused: Expected ::="),
    "too many rules": ({"grammar": DEEP + "b: c\nc: d\n"}, "more than 500 rules"),
    "a long grammar": ({"grammar": 'root ::= "' + "a" * 70_000 + '"'}, "longer than 65536"),
    "a bad regex": ({"regex": "a("}, "regex refused"),
    "a long regex": ({"regex": "a" * 20_000}, "longer than 16384"),
    "a huge lexer": (
        {"grammar": "start: A30\nA0: /x/\n" + "".join(f"A{n + 1}: A{n} A{n}\n" for n in range(30))},
        "grammar refused: .*too big",
    ),
    "a long schema": ({"format": json.dumps({"title": "x" * 300_000})}, "longer than 262144"),
    "many references": (
        {"format": json.dumps({"anyOf": [{"$ref": "#"}] * 1001})},
        "more than 1000 times",
    ),
    "a number of many digits": (
        {"format": '{"type": "integer", "minimum": -1' + "0" * 300 + "}"},
        "JSON schema conversion failed: ",
    ),
    "a number of too many digits": (
        {"format": '{"type": "integer", "minimum": -1' + "0" * 9000 + "}"},
        "JSON schema conversion failed: ",
    ),
    "a schema nested too deep": ({"format": "[" * 100_000}, "nested too deep"),
    "a schema nested deeper than the compiler goes": (
        {"format": '{"allOf": [' * 300 + "{}" + "]}" * 300},
        "conversion failed: recursion limit",
    ),
    "a schema that is itself": ({"format": '{"$ref": "#"}'}, "JSON schema conversion failed"),
    "a schema that is its own part": (
        {"format": '{"allOf": [{"$ref": "#"}, {"type": "object"}]}'},
        "conversion failed: circular",
    ),
    "references in a circle": (
        {"format": json.dumps({"$ref": "#/a", "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}})},
        "JSON schema conversion failed",
    ),
    "choices that multiply": (
        {
            "format": json.dumps(
                {
                    "allOf": [
                        {"anyOf": [{"required": [f"{side}{n}"]} for side in "ab"]}
                        for n in range(60)
                    ]
                }
            )
        },
        "conversion failed: schema too large",
    ),
    "patterns that exclude each other": (
        {
            "format": json.dumps(
                {
                    "allOf": [
                        {"type": "string", "pattern": f".*{chr(97 + n % 26)}.{{{n}}}x.*"}
                        for n in range(30)
                    ]
                }
            )
        },
        "takes too long",
    ),
    "multiples of large primes": (
        {"format": '{"type": "integer", "multipleOf": 99999989}'},
        "JSON schema conversion failed",
    ),
    "no type": ({"format": '{"type": "nothing"}'}, "JSON schema conversion failed"),
}


def test_what_cannot_be_held_to_is_refused_before_any_text(plan: LoadPlan) -> None:
    async def use(engine: ProcessEngine) -> None:
        for fields, reason in REFUSED.values():
            async with engine.generate(order("Once", 5, **fields)) as events:
                with pytest.raises(BadRequest, match=reason) as caught:
                    await anext(events)
            assert "\n" not in str(caught.value)

    with_engine(plan, use)


WIDE: dict[str, dict[str, object]] = {
    "a long list of words": {"enum": [f"value {number}" for number in range(15_000)]},
    "long lists of lists": {
        "type": "array",
        "minItems": 10**9,
        "items": {"type": "array", "minItems": 10**9, "items": {"type": "integer"}},
    },
    "a long text": {"type": "string", "minLength": 10**9},
    "a text of some length": {"type": "string", "maxLength": 10**9},
    "itself inside": {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
    "itself twice inside": {"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}},
    "many fields": {
        "type": "object",
        "properties": {f"p{n}": {"type": "integer"} for n in range(3000)},
        "required": [f"p{n}" for n in range(3000)],
    },
    "doubling references": {
        "$ref": "#/$defs/a30",
        "$defs": {
            "a0": {"type": "string"},
            **{
                f"a{n + 1}": {"type": "array", "items": {"anyOf": [{"$ref": f"#/$defs/a{n}"}] * 2}}
                for n in range(30)
            },
        },
    },
}


def test_large_schemas_cost_little(plan: LoadPlan) -> None:
    """What can be held to goes on, whatever it looks like, in bounded memory."""

    async def use(engine: ProcessEngine) -> None:
        before = runner_memory()
        for schema in WIDE.values():
            text, _ = await answer(engine, order("Once", 40, format=json.dumps(schema)))
            assert text
        assert runner_memory() - before < 300 << 20

    with_engine(plan, use)


def runner_memory() -> int:
    """The most bytes that a runner of this process had at once."""
    tasks = Path("/proc/self/task").iterdir()
    pids = [pid for task in tasks for pid in task.joinpath("children").read_text().split()]
    found = [Path("/proc", pid, "status").read_text() for pid in pids]
    return max(int(peak) * 1024 for text in found for peak in re.findall(r"VmHWM:\s+(\d+)", text))


async def refusal(engine: ProcessEngine, asked: Generation) -> str:
    with pytest.raises(BadRequest) as caught:
        await answer(engine, asked)
    return str(caught.value)


def test_a_schema_that_takes_too_long_holds_up_no_answer(plan: LoadPlan) -> None:
    hostile = json.dumps(
        {"allOf": [{"type": "integer", "multipleOf": n} for n in (97, 89, 83, 79)]}
    )

    async def use(engine: ProcessEngine) -> None:
        async with asyncio.TaskGroup() as tasks:
            refused = tasks.create_task(refusal(engine, order("Once", 9, format=hostile)))
            for _ in range(3):
                await answer(engine, order("Once", 20))
            assert not refused.done()
        assert "takes too long" in refused.result()
        assert (await answer(engine, order("Once", 9, regex="xyz")))[0] == "xyz"

    with_engine(plan, use)


def test_as_deep_as_rules_may_go(plan: LoadPlan) -> None:
    """The compiler is recursive: what the limits let pass must not exhaust a stack."""

    async def use(engine: ProcessEngine) -> None:
        assert (await answer(engine, order("Once", 9, grammar=DEEP)))[0] == "x"
        definitions: dict[str, object] = {
            f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(999)
        }
        definitions["a999"] = {"const": "x"}
        schema = {"$ref": "#/$defs/a0", "$defs": definitions}
        text, _ = await answer(engine, order("Once", 9, format=json.dumps(schema)))
        assert json.loads(text) == "x"

    with_engine(plan, use)


def test_nobody_waits_for_a_grammar_that_is_being_compiled(plan: LoadPlan) -> None:
    """Nor does a cancelled one come to life when it is done."""
    slow = "start: A13\nA0: /x/\n" + "".join(f"A{n + 1}: A{n} A{n}\n" for n in range(13))
    slow += "".join(f"B{n + 1}: B{n} B{n}\n" for n in range(300)) + "B0: /y/\n"

    async def use(engine: ProcessEngine) -> None:
        async with asyncio.TaskGroup() as tasks:
            held = [
                tasks.create_task(answer(engine, order("Once", 3, grammar=slow))) for _ in range(30)
            ]
            await asyncio.sleep(0)  # they are on their way
            async with engine.generate(order("Once", 10_000, regex="x*")):
                pass  # cancelled while it waits for the slow ones
            await answer(engine, order("Once", 3))
            assert not held[-1].done()
        assert {task.result()[0] for task in held} == {"xxx"}
        assert (await answer(engine, order("Once", 9, regex="xyz")))[0] == "xyz"

    with_engine(plan, use)


def test_eight_held_at_once_say_what_each_says_alone(plan: LoadPlan) -> None:
    """In full precision: a random model has near ties, which a batch's shape decides in half."""
    exact = msgspec.structs.replace(plan, kv_type="f32", flash_attention=False)

    async def use(engine: ProcessEngine) -> None:
        orders = [
            order(f"Once {n}", 60, regex=r"([a-z]{1,6} )+[0-9]{4}", sampling=HOT) for n in range(8)
        ]
        alone = [(await answer(engine, each))[0] for each in orders]
        together = await asyncio.gather(*(answer(engine, each) for each in orders))
        assert [text for text, _ in together] == alone

    with_engine(exact, use)


def test_a_format_holds_against_biases_and_penalties(plan: LoadPlan) -> None:
    """Forbidding every digit leaves nothing that fits: the format wins."""
    sampling = Sampling(
        temperature=1.0,
        seed=1,
        repeat_penalty=1.5,
        logit_bias=tuple((str(digit), -100.0) for digit in range(10)),
    )

    async def use(engine: ProcessEngine) -> None:
        text, _ = await answer(engine, order("Once", 9, regex="[0-9]{3}", sampling=sampling))
        assert re.fullmatch("[0-9]{3}", text)

    with_engine(plan, use)


def test_log_probabilities_do_not_know_of_the_format(plan: LoadPlan) -> None:
    async def use(engine: ProcessEngine) -> None:
        found = []
        for fields in ({}, {"regex": "[0-9]"}):
            async with engine.generate(order("Once", 1, top_logprobs=5, **fields)) as events:
                pieces = [event async for event in events if isinstance(event, Piece)]
            found.append({e.token: e.logprob for e in pieces[0].logprobs[0].top_logprobs})
        assert found[0] == pytest.approx(found[1], abs=1e-3)

    with_engine(plan, use)


def test_tags_of_an_outline_are_text_also_where_they_are_control_tokens(tmp_path: Path) -> None:
    vocabulary = make_vocabulary()
    token = len(vocabulary.tokens)
    vocabulary.tokens.append("</think>")
    vocabulary.scores.append(0.0)
    vocabulary.types.append(CONTROL_TYPE)
    vocabulary.biases.append(-60.0)
    path = make_tiny_llama(tmp_path / "tagged.gguf", vocabulary=vocabulary)
    outline = 'start: r1 /[ ]?/ @answer\nr1[suffix="</think>"]: /(?s:.*)/\n'

    async def use(engine: ProcessEngine) -> None:
        free, _ = await answer(engine, order("the", 8))
        held = {"outline": outline, "regex": "[0-9]{3}", "visible": ("</think>",)}
        cut, end = await answer(engine, order("the", 8, **held))
        assert (cut, end.reason) == (free, "length")
        likes = Sampling(temperature=1.0, seed=2, logit_bias=((token, 62.0),))
        text, end = await answer(engine, order("the", 200, sampling=likes, **held))
        assert re.fullmatch(r"[^<]*</think> ?[0-9]{3}", text), text
        assert end.reason == "stop"
        written = await answer(engine, order("the", 60, sampling=likes, **held | {"visible": ()}))
        assert "</think>" not in written[0]

    with_engine(LoadPlan(model=str(path), n_ctx=512), use)
