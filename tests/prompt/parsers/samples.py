"""Answers of model families, and what they say."""

from __future__ import annotations

from puna.prompt.parsers import Turn
from tests.prompt.parsers.reading import Sample

OSLO = ("rain", {"city": "Oslo"})
TWO_DAYS = ("rain", {"city": "Oslo", "days": 2})
PLAIN = Turn(think=False, has_tools=True, last="user")
PREFILLED = Turn(think=True, has_tools=True, last="prefill")
NO_TOOLS = Turn(think=True, last="user")

NOW: tuple[str, dict[str, object]] = ("now", {})
ATEM = '<atem:function_calls>\n<atem:invoke name="rain">\n'
ATEM_END = "</atem:invoke>\n</atem:function_calls>"
Q = '<|"|>'

_JSON = '<tool_call>\n{"name": "rain", "arguments": {"city": "Oslo"}}\n</tool_call>'
_XML = (
    "<tool_call>\n<function=rain>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>"
)
_GLM = "<tool_call>rain<arg_key>city</arg_key><arg_value>Oslo</arg_value></tool_call>"
_DEEPSEEK = '<｜tool▁call▁begin｜>rain<｜tool▁sep｜>{"city":"Oslo"}<｜tool▁call▁end｜>'
_FENCED = (
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>rain\n"
    '```json\n{"city":"Oslo"}\n```<｜tool▁call▁end｜>'
)
_CALLS, _CALLS_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"

SAMPLES: dict[str, dict[str, Sample]] = {
    "qwen3-coder": {
        "text and a call": Sample(f"Looking.\n{_XML}", [("content", "Looking."), OSLO]),
        "what only begins like a tag": Sample(
            "abc<tool_callfakeout", [("content", "abc<tool_callfakeout")]
        ),
        "odd white space": Sample(f"abc\u00a0 {_XML}", [("content", "abc"), OSLO]),
        "typed values": Sample(
            '<tool_call><function=rain><parameter=city>\n<b> & "x"\n</parameter>'
            '<parameter=days>007</parameter><parameter=area>{"r": [1]}</parameter>'
            "<parameter=else>1</parameter></function></tool_call>",
            [("rain", {"city": '<b> & "x"', "days": 7, "area": {"r": [1]}, "else": "1"})],
        ),
        "calls with text between": Sample(
            f"a {_XML} b {_XML}\nc\n",
            [("content", "a"), OSLO, ("content", "b"), OSLO, ("content", "c")],
        ),
        "a call that is not closed": Sample("a <tool_call><function=rain>", [("content", "a")]),
        "the beginning of a tag at the end": Sample("a <tool", [("content", "a <tool")]),
        "no call, leniently": Sample(
            "a <tool_call>x</tool_call> b",
            [("content", "a <tool_call>x</tool_call> b")],
            lenient=True,
        ),
    },
    "qwen3-thinking": {
        "all three": Sample(
            f"Short check.</think>\n\nHi.{_JSON}",
            [("thinking", "Short check."), ("content", "Hi."), OSLO],
        ),
        "an opening tag": Sample(
            " <think>\nhm </think> four", [("thinking", "hm"), ("content", "four")]
        ),
        "a call ends thoughts": Sample(f"hm {_JSON}", [("thinking", "hm"), OSLO]),
        "thoughts that do not end": Sample("hm <b>", [("thinking", "hm <b>")]),
        "no thoughts wanted": Sample("a</think>b", [("content", "a</think>b")], PLAIN),
    },
    "qwen3": {
        "a call": Sample(f"Hi.\n{_JSON}\n{_JSON}", [("content", "Hi."), OSLO, OSLO]),
        "a whole call that is not closed": Sample(_JSON.removesuffix("</tool_call>"), [OSLO]),
    },
    "qwen3-vl-thinking": {
        "opening tags are text": Sample("<think>abc</think>", [("thinking", "<think>abc")]),
        "thoughts, whatever is wanted": Sample(
            "A cat.</think>\n\nA cat.", [("thinking", "A cat."), ("content", "A cat.")], PLAIN
        ),
    },
    "qwen3-vl-instruct": {
        "a call": Sample(f"x {_JSON} y", [("content", "x"), OSLO, ("content", "y")])
    },
    "qwen3.5": {
        "all three": Sample(
            f"<think>\nhm\n</think>\n\nHi.\n{_XML}", [("thinking", "hm"), ("content", "Hi."), OSLO]
        ),
        "a call ends thoughts": Sample(f"hm\n{_XML}", [("thinking", "hm"), OSLO]),
        "not closed": Sample("hm ", [("thinking", "hm")]),
        "a prefill": Sample("x</think>", [("content", "x</think>")], PREFILLED),
    },
    "nemotron-3-nano": {
        "all three": Sample(
            f"hm</think>Hi.\n{_XML}\n", [("thinking", "hm"), ("content", "Hi."), OSLO]
        ),
    },
    "cogito": {
        "calls": Sample(
            f"a{_CALLS}{_FENCED}\n{_FENCED}{_CALLS_END}", [("content", "a"), OSLO, OSLO]
        ),
        "thoughts": Sample(
            "hm\n</think>\n\nfour", [("thinking", "hm"), ("content", "four")], NO_TOOLS
        ),
        "outputs": Sample("a<｜tool▁outputs▁begin｜>x<｜tool▁outputs▁end｜>b", [("content", "ab")]),
        "a bad call": Sample(
            f"{_CALLS}<｜tool▁call▁begin｜>x<｜tool▁call▁end｜>{_CALLS_END}b", [("content", "b")]
        ),
    },
    "deepseek3": {
        "three calls": Sample(
            f"hm</think>Hello{_CALLS}{_DEEPSEEK}{_DEEPSEEK}{_DEEPSEEK}{_CALLS_END}",
            [("thinking", "hm"), ("content", "Hello"), OSLO, OSLO, OSLO],
        ),
        "a form of before": Sample(f"{_CALLS}{_FENCED}{_CALLS_END}", [OSLO], PLAIN),
        "an output": Sample(
            "a <｜tool▁output▁begin｜> x <｜tool▁output▁end｜> b", [("content", "a x b")], PLAIN
        ),
        "no thoughts wanted": Sample("a</think>b", [("content", "a</think>b")], PLAIN),
        "a bad call": Sample(
            f"{_CALLS}<｜tool▁call▁begin｜>x<｜tool▁call▁end｜>{_DEEPSEEK}{_CALLS_END}",
            [OSLO],
            PLAIN,
        ),
    },
    "glm-4.7": {
        "all three": Sample(
            f"ask tool</think>\nHi\n{_GLM}", [("thinking", "ask tool"), ("content", "Hi"), OSLO]
        ),
        "types": Sample(
            "<tool_call>rain\n<arg_key>city</arg_key>\n<arg_value>O&<b></arg_value>\n"
            "<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>",
            [("rain", {"city": "O&<b>", "days": 2})],
            PLAIN,
        ),
        "no arguments": Sample("<tool_call>now</tool_call>", [("now", {})], PLAIN),
        "a missing tag": Sample(
            "<tool_call>rain city</arg_key><arg_value>Oslo</arg_value></tool_call>", [OSLO], PLAIN
        ),
        "keys before values": Sample(
            "<tool_call>rain<arg_key>city</arg_key><arg_key>days</arg_key>"
            "<arg_value>Oslo</arg_value><arg_value>2</arg_value></tool_call>",
            [TWO_DAYS],
            PLAIN,
        ),
        "only the closing tag is missing": Sample(_GLM.removesuffix("_call>"), [OSLO], PLAIN),
    },
    "glm-ocr": {
        "thoughts": Sample("<think>hm</think>Hi", [("thinking", "hm"), ("content", "Hi")], PLAIN),
        "none": Sample(" Hi", [("content", " Hi")], PLAIN),
    },
    "ministral": {
        "a call": Sample(
            'Sure.[TOOL_CALLS]rain[ARGS]{"city":"Oslo"}', [("content", "Sure."), OSLO]
        ),
        "two": Sample(
            '[TOOL_CALLS]rain[ARGS]{"city":"a}\\"{\\\\"}[TOOL_CALLS]now[ARGS] {}b',
            [("rain", {"city": 'a}"{\\'}), ("now", {}), ("content", "b")],
        ),
        "thoughts": Sample("[THINK] hm [/THINK] four", [("thinking", " hm "), ("content", "four")]),
    },
    "harmony": {
        "thoughts and a call": Sample(
            "<|channel|>analysis<|message|>Need data.<|end|><|start|>assistant<|channel|>commentary"
            ' to=functions.rain <|constrain|>json<|message|>{"city":"Oslo"}',
            [("thinking", "Need data."), OSLO],
        ),
        "a recipient before the channel": Sample(
            " to=functions.rain<|channel|>commentary<|constrain|>json<|message|>"
            '{"city":"Oslo"}<|call|>',
            [OSLO],
        ),
        "thoughts and an answer": Sample(
            "<|channel|>analysis<|message|> hm <|end|>x<|start|>assistant<|channel|>final"
            "<|message|> four \n",
            [("thinking", " hm "), ("content", " four \n")],
        ),
        "a prefill": Sample(" four<|end|>", [("content", " four")], PREFILLED),
        "a header that does not end": Sample("<|channel|>ana", []),
    },
    "gemma4": {
        "thoughts and a call": Sample(
            "<|channel>thought\nneed tool<channel|>"
            f"<|tool_call>call:rain{{city:{Q}Oslo{Q},days:2}}<tool_call|>",
            [("thinking", "need tool"), TWO_DAYS],
        ),
        "thoughts that nobody wanted": Sample(
            "<|channel>thought\nhm<channel|>four", [("content", "four")], PLAIN
        ),
        "two channels": Sample(
            "<|channel>thought\na<channel|><|channel>thoughts<channel|>b",
            [("thinking", "athoughts"), ("content", "b")],
        ),
        "markers behind a call": Sample(
            f"a <|tool_call>call:rain{{city:{Q}Oslo{Q}}}<tool_call|> <tool_call|><|tool_response>b",
            [("content", "a"), OSLO, ("content", "b")],
        ),
        "quotes, keys and backslashes in a text": Sample(
            f'<|tool_call>call:rain{{city:{Q}C:\\a "b",days:1{Q}}}<tool_call|>',
            [("rain", {"city": 'C:\\a "b",days:1'})],
        ),
        "nested values": Sample(
            f"<|tool_call>call:rain{{area:{{a:[1,2.5,null],b:true}},city:{Q}{Q}}}<tool_call|>",
            [("rain", {"area": {"a": [1, 2.5, None], "b": True}, "city": ""})],
        ),
        "a text and a call that are not closed": Sample(
            f"<|tool_call>call:rain{{city:{Q}Oslo", [OSLO]
        ),
        "a number that is not closed": Sample("<|tool_call>call:rain{days:1", []),
        "single quotes": Sample("<|tool_call>call:rain{city:'Oslo'}<tool_call|>", [OSLO]),
        "a text without quotes": Sample(
            "<|tool_call>call:rain{city:New York, NY,days:2}<tool_call|>",
            [("rain", {"city": "New York, NY", "days": 2})],
        ),
        "after a result": Sample(
            "hm<channel|>four",
            [("thinking", "hm"), ("content", "four")],
            Turn(think=True, has_tools=True, last="tool"),
        ),
    },
    "gemma4-no-thinking": {
        "a call": Sample(
            f"a <|tool_call>call:rain{{city:{Q}Oslo{Q}}}<tool_call|>", [("content", "a"), OSLO]
        ),
    },
    "functiongemma": {
        "a call": Sample(
            "a <start_function_call>call:rain{city:<escape>Oslo<escape>,days:2}"
            "<end_function_call> b",
            [("content", "a "), TWO_DAYS, ("content", " b")],
        ),
        "no call": Sample("<start_function_call>rain<end_function_call>b", [("content", "b")]),
    },
    "lfm2": {
        "a call and text": Sample(
            "<|tool_call_start|>[rain(city='Oslo', days=2)]<|tool_call_end|>Checking.",
            [TWO_DAYS, ("content", "Checking.")],
        ),
        "kinds of values": Sample(
            '<|tool_call_start|>[f(a=True, b=None, c=[1, "x"], d={"k": -2.5}, e=word), now()]'
            "<|tool_call_end|>",
            [
                ("f", {"a": True, "b": None, "c": [1, "x"], "d": {"k": -2.5}, "e": "word"}),
                ("now", {}),
            ],
        ),
        "JSON": Sample(
            '<|tool_call_start|>[{"name": "rain", "arguments": {"city": "Oslo"}}]<|tool_call_end|>',
            [OSLO],
        ),
        "a bad block": Sample("<|tool_call_start|>[rain(]<|tool_call_end|>b", [("content", "b")]),
    },
    "lfm2-thinking": {
        "thoughts": Sample(
            " <think>A</think>B</think>C", [("thinking", "A"), ("content", "B</think>C")]
        ),
        "none": Sample("four", [("content", "four")]),
        "the beginning of a tag": Sample("<thi", [("content", "<thi")]),
        "none wanted": Sample("<think>A", [("content", "<think>A")], PLAIN),
    },
    "olmo3": {
        "calls": Sample(
            'a\n<function_calls>\nrain(city="Oslo", days=2)\nnow()\n</function_calls>',
            [("content", "a\n"), TWO_DAYS, ("now", {})],
        ),
        "escapes": Sample(
            r'<function_calls>rain(city="a\"\n\\")</function_calls>', [("rain", {"city": 'a"\n\\'})]
        ),
        "a bad line": Sample("<function_calls>now()\nx</function_calls>b", [("content", "b")]),
    },
    "olmo3-think": {
        "thoughts": Sample("hm </think>\nfour ", [("thinking", "hm"), ("content", "four")]),
        "a prefill": Sample("four</think>", [("content", "four</think>")], PREFILLED),
    },
    "cohere": {
        "thoughts and calls": Sample(
            "ask <|END_THINKING|><|START_ACTION|>["
            '{"tool_call_id":"0","tool_name":"rain","parameters":{"city":"Oslo"}}, '
            '{"tool_call_id":"1","tool_name":"now","parameters":{}}]<|END_ACTION|>',
            [("thinking", "ask"), OSLO, ("now", {})],
        ),
        "a text": Sample(
            "ask<|END_THINKING|> <|START_TEXT|> four <|END_TEXT|><|END_OF_TURN_TOKEN|>",
            [("thinking", "ask"), ("content", " four ")],
        ),
        "no block": Sample("four <|x", [("content", "four <|x")], PLAIN),
        "a bad call": Sample(
            '<|START_ACTION|>[{"x":1},{"tool_name":"now"}]<|END_ACTION|>', [("now", {})], PLAIN
        ),
    },
    "Action: tool_name": {
        "an action": Sample(
            'Plan: look.\nAction: ```json\n[\n    {"tool_name": "rain", '
            '"parameters": {"city": "Oslo"}}\n]```',
            [("content", "Plan: look."), OSLO],
        ),
        "an answer": Sample(
            'Action: ```json\n[{"tool_name": "directly_answer", "parameters": {}}]\n```\nfour',
            [("content", "four")],
        ),
    },
    "laguna": {
        "thoughts and a call": Sample(
            "<think>hm </think>\n\n<tool_call>rain\n<arg_key>city</arg_key>\n"
            "<arg_value>Oslo</arg_value>\n</tool_call>",
            [("thinking", "hm"), OSLO],
        ),
        "a name with JSON": Sample('\n<tool_call>rain {"city": "Oslo"}</tool_call>', [OSLO], PLAIN),
        "all in JSON": Sample(
            '<tool_call>{"name": "rain", "arguments": {"city": "Oslo"}}</tool_call>', [OSLO], PLAIN
        ),
        "thoughts that nobody wanted": Sample(
            " a </think> b<think>c</think>d", [("content", "abd")], PLAIN
        ),
        "a call as somebody's turn": Sample(
            'a <user>rain {"city": "Oslo"}</user>b',
            [("content", "a"), OSLO, ("content", "b")],
            PLAIN,
        ),
        "somebody's turn": Sample("a <user>hi</user>b", [("content", "a <user>hi</user>b")], PLAIN),
        "a bare object": Sample(
            'hm</think>\n{"name": "rain", "arguments": {"city": "Oslo"}}',
            [("thinking", "hm"), OSLO],
        ),
        "an answer in JSON": Sample(' {"name": "x"} b', [("content", '{"name": "x"} b')], PLAIN),
    },
    "poolside-v1": {
        "a name alone": Sample("hm<tool_call>now</tool_call>", [("thinking", "hm"), NOW])
    },
    "glimmer": {
        "thoughts and a call": Sample(
            " to=self<|message|>use tool<|eom|><|start|>assistant to=rain<|message|>"
            f'{ATEM}<atem:parameter name="city">Oslo</atem:parameter>\n{ATEM_END}<|eot|>',
            [("thinking", "use tool"), OSLO],
        ),
        "markers inside a call": Sample(
            f' to=rain<|message|>{ATEM}<atem:parameter name="city">a<|eom|>b</atem:parameter>'
            f"{ATEM_END}<|eot|>",
            [("rain", {"city": "a<|eom|>b"})],
        ),
        "a block for the user": Sample(
            f'<|message|>{ATEM}<atem:parameter name="city">Oslo</atem:parameter>\n{ATEM_END}',
            [OSLO],
        ),
        "a block that calls nothing": Sample(
            f"<|message|>{ATEM.replace('rain', 'snow')}{ATEM_END} so<|eot|>",
            [("content", f"{ATEM.replace('rain', 'snow')}{ATEM_END} so")],
        ),
        "thoughts that nobody wanted": Sample(
            " to=self<|message|>hm<|eom|><|start|>assistant<|message|> four<|eot|>",
            [("content", " four")],
            PLAIN,
        ),
    },
    "passthrough": {"anything": Sample(" <think>\n" + _JSON, [("content", " <think>\n" + _JSON)])},
    "<|python_tag|> .call(": {
        "an object": Sample(' {"name": "rain", "parameters": {"city": "Oslo"}}', [OSLO]),
        "several": Sample(
            '{"name": "now", "parameters": {}}; {"name": "now", "parameters": null}\n', [NOW, NOW]
        ),
        "behind the tag": Sample(
            'a <|python_tag|>{"name": "rain", "parameters": {"city": "Oslo"}}',
            [("content", "a"), OSLO],
        ),
        "code": Sample('<|python_tag|>rain.call(city="Oslo")<|eom_id|>', [OSLO]),
        "an answer in JSON": Sample(
            '{"name": "Bob", "age": 1}\n; {', [("content", '{"name": "Bob", "age": 1}\n; {')]
        ),
        "text": Sample(" a {b}", [("content", " a {b}")]),
        "without tools": Sample(
            '{"name": "now"}', [("content", '{"name": "now"}')], Turn(think=True)
        ),
    },
    "<|tool|> <|/tool|>": {
        "an array": Sample(
            'a <|tool_call|>[{"name": "rain", "arguments": {"city": "Oslo"}}, {"name": "now"}]'
            "<|/tool_call|>",
            [("content", "a"), OSLO, NOW],
        ),
        "functools": Sample('functools[{"name": "now", "arguments": {}}]', [NOW]),
    },
    "<|tool_call|>": {
        "an array": Sample(
            'hm</think><|tool_call|>[{"name": "now"}] b',
            [("thinking", "hm"), NOW, ("content", "b")],
        ),
    },
    "<TOOLCALL>": {
        "an array": Sample(
            'hm\n</think>\n<TOOLCALL>[{"name": "now", "arguments": {}}]</TOOLCALL>',
            [("thinking", "hm"), NOW],
        ),
        "no call": Sample("<TOOLCALL>[x]</TOOLCALL>b", [("content", "xb")], PLAIN, lenient=True),
    },
    "<|tool_calls_section_begin|>": {
        "calls": Sample(
            "hm</think>a<|tool_calls_section_begin|><|tool_call_begin|>functions.rain:0"
            '<|tool_call_argument_begin|>{"city":"Oslo"}<|tool_call_end|><|tool_call_begin|>now:1'
            "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            [("thinking", "hm"), ("content", "a"), OSLO, NOW],
        ),
        "no call": Sample(
            "<|tool_calls_section_begin|><|tool_call_begin|>x<|tool_call_end|>",
            [("content", "<|tool_call_begin|>x<|tool_call_end|>")],
            PLAIN,
        ),
    },
    "<minimax:tool_call>": {
        "calls": Sample(
            'hm</think>\n<minimax:tool_call>\n<invoke name="rain">\n<parameter name="city">Oslo'
            '</parameter>\n<parameter name="days">2</parameter>\n</invoke>\n<invoke name="now">\n'
            "</invoke>\n</minimax:tool_call>",
            [("thinking", "hm"), TWO_DAYS, NOW],
        ),
        "values without types": Sample(
            '<minimax:tool_call><invoke name="f"><parameter name="a">[1]</parameter>'
            '<parameter name="b">x</parameter></invoke></minimax:tool_call>',
            [("f", {"a": [1], "b": "x"})],
            PLAIN,
        ),
    },
    "｜DSML｜ function_calls": {
        "a call": Sample(
            'a\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="rain">\n'
            '<｜DSML｜parameter name="city" string="true">Oslo</｜DSML｜parameter>\n'
            "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
            [("content", "a"), OSLO],
            PLAIN,
        ),
    },
    "<tool_calls> </tool_calls>": {
        "lines": Sample(
            '<tool_calls>\n{"name": "rain", "arguments": {"city": "Oslo"}}\n{"name": "now"}\n'
            "</tool_calls>",
            [OSLO, NOW],
            PLAIN,
        ),
    },
    "<seed:tool_call>": {
        "a call": Sample(
            "<seed:think>hm</seed:think>"
            + _XML.replace("<tool", "<seed:tool").replace("</tool", "</seed:tool"),
            [("thinking", "hm"), OSLO],
        ),
    },
    "[TOOL_CALLS]": {
        "an array": Sample(
            'a [TOOL_CALLS] [{"name": "rain", "arguments": {"city": "Oslo"}}, {"name": "now"}]',
            [("content", "a"), OSLO, NOW],
        ),
        "a name and an id": Sample(
            '[TOOL_CALLS]rain[CALL_ID]123456789[ARGS]{"city": "Oslo"}', [OSLO]
        ),
        "a name alone": Sample('[TOOL_CALLS]rain{"city": "Oslo"}', [OSLO]),
    },
}

BAD: dict[str, dict[str, tuple[str, str]]] = {
    "laguna": {
        "bad JSON": (
            "<tool_call>rain {x}</tool_call>",
            "failed to parse Laguna JSON tool call: failed to parse JSON: ",
        ),
        "no name": ("<tool_call> </tool_call>", "empty Laguna tool call name"),
    },
    "glimmer": {
        "another function": (
            f" to=now<|message|>{ATEM}{ATEM_END}",
            'Glimmer recipient "now" does not match ATEM invoke "rain"',
        ),
        "an unknown function": (
            f" to=snow<|message|>{ATEM.replace('rain', 'snow')}{ATEM_END}",
            'undeclared Glimmer function "snow"',
        ),
        "no block": (" to=rain<|message|>Oslo<|eot|>", "parse Glimmer call to rain: "),
    },
    "qwen3-coder": {
        "an open parameter": (
            "<tool_call><function=rain><parameter=city>Oslo</function></tool_call>",
            "malformed function call: text that is no parameter",
        ),
        "no function": ("<tool_call>rain</tool_call>", "malformed function call: no <function"),
    },
    "qwen3": {
        "no JSON": ("<tool_call>{rain}</tool_call>", "failed to parse JSON: "),
        "no name": ('<tool_call>{"name":""}</tool_call>', "empty function name"),
        "a number of too many digits": (
            f'<tool_call>{{"name":"rain","arguments":{{"n":{"9" * 5000}}}}}</tool_call>',
            "failed to parse JSON: ",
        ),
        "nested too deep": (f"<tool_call>{'[' * 100_000}</tool_call>", "failed to parse JSON: "),
    },
    "glm-ocr": {
        "cut in a value": (
            "<tool_call>rain<arg_key>city</arg_key><arg_value>Os",
            "incomplete GLM tool call: an argument is not whole",
        ),
        "an argument is missing": (
            "<tool_call>rain",
            "incomplete GLM tool call: 'city' is missing",
        ),
        "a key too many": (
            "<tool_call>rain<arg_key>city</arg_key></tool_call>",
            "mismatched arg_key and arg_value counts: 1 and 0",
        ),
        "no name": ("<tool_call></tool_call>", "empty function name"),
    },
    "ministral": {
        "an unknown tool": ("[TOOL_CALLS]snow[ARGS]{}", "tool 'snow' not found"),
        "no JSON": ("[TOOL_CALLS]rain[ARGS]x", "failed to parse JSON: "),
    },
    "harmony": {
        "no JSON": (
            "<|channel|>commentary to=functions.rain<|message|>{x",
            "error parsing tool call: raw='{x', err=",
        ),
    },
}
