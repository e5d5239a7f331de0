"""The table of errors: route, body, status and text; a text that begins with ~ is a pattern.

Rows of the API spec, sections 2, 3, 17, 21 and 23, for the routes there are.
"""

from __future__ import annotations

from typing import Any

HI = [{"role": "user", "content": "hi"}]
NOWHERE = "sha256:" + "0" * 64
CONFLICT = 'use either :local or :cloud, not both: "x:cloud:local"'
NO_CLOUD = "ollama cloud is disabled: remote model is unavailable"
MISTAKE = 400
"""The reference's text under another status: it answers 500 though the request is wrong."""
Row = tuple[str, dict[str, Any], int, str]

GENERATE: dict[str, Row] = {
    "19 unknown model, as sent": ("generate", {"model": "NoPe"}, 404, "model 'NoPe' not found"),
    "unknown local model": (
        "generate",
        {"model": "nope:local"},
        404,
        "model 'nope:local' not found",
    ),
    "20 no model": ("generate", {"prompt": "x"}, 404, "model '' not found"),
    "blank model": ("generate", {"model": "  "}, 404, "model '  ' not found"),
    "21 bad name": ("generate", {"model": "bad name"}, 400, "invalid model name"),
    "no tag": ("generate", {"model": "foo:"}, 400, "invalid model name"),
    "two sources": ("generate", {"model": "x:cloud:local"}, 400, CONFLICT),
    "22 top_logprobs below": (
        "generate",
        {"model": "nope", "top_logprobs": -1},
        400,
        "top_logprobs must be between 0 and 20",
    ),
    "22 top_logprobs above": (
        "generate",
        {"model": "nope", "top_logprobs": 21},
        400,
        "top_logprobs must be between 0 and 20",
    ),
    "28 raw with a system prompt": (
        "generate",
        {"model": "tiny", "prompt": "x", "raw": True, "system": "y"},
        400,
        "raw mode does not support template, system, or context",
    ),
    "raw with a template": (
        "generate",
        {"model": "tiny", "prompt": "x", "raw": True, "template": "y"},
        400,
        "raw mode does not support template, system, or context",
    ),
    "raw with a context": (
        "generate",
        {"model": "tiny", "prompt": "x", "raw": True, "context": [1]},
        400,
        "raw mode does not support template, system, or context",
    ),
    "38 a template that does not parse": (
        "generate",
        {"model": "tiny", "prompt": "x", "template": "{{ .Prompt"},
        MISTAKE,
        "~.*template",
    ),
    "cloud": ("generate", {"model": "x:cloud", "prompt": "x"}, 403, NO_CLOUD),
    "27 insert": (
        "generate",
        {"model": "tiny", "prompt": "x", "suffix": "y"},
        400,
        "registry.ollama.ai/library/tiny:latest does not support insert",
    ),
    "30 thinking": (
        "generate",
        {"model": "tiny", "prompt": "x", "think": True},
        400,
        '"tiny" does not support thinking',
    ),
    "thinking, by level": (
        "generate",
        {"model": "tiny", "prompt": "x", "think": "low"},
        400,
        '"tiny" does not support thinking',
    ),
    "31 a level that is none": (
        "generate",
        {"model": "tiny", "think": "extreme"},
        400,
        'invalid think value: "extreme" (must be "high", "medium", "low", "max", true, or false)',
    ),
    "think of another type": (
        "generate",
        {"model": "tiny", "think": 5},
        400,
        'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
    ),
    "32 keep_alive true": (
        "generate",
        {"model": "tiny", "keep_alive": True},
        400,
        "Unsupported type: 'bool'",
    ),
    "32 keep_alive without a unit": (
        "generate",
        {"model": "tiny", "keep_alive": "5"},
        400,
        'time: missing unit in duration "5"',
    ),
    "keep_alive empty": (
        "generate",
        {"model": "tiny", "keep_alive": ""},
        400,
        'time: invalid duration ""',
    ),
    "41 an image that is a URL": (
        "generate",
        {"model": "tiny", "prompt": "x", "images": ["data:image/png;base64,AAAA"]},
        400,
        r"~illegal base64 data",
    ),
    "33 option of a wrong type": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"temperature": "hot"}},
        MISTAKE,
        'option "temperature" must be of type float32',
    ),
    "option that must be whole": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"top_k": "9"}},
        MISTAKE,
        'option "top_k" must be of type integer',
    ),
    "option that must be a boolean": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"use_mmap": 1}},
        MISTAKE,
        'option "use_mmap" must be of type boolean',
    ),
    "34 stop that is no list": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"stop": "x"}},
        MISTAKE,
        'option "stop" must be of type array',
    ),
    "stop that is no list of strings": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"stop": [1]}},
        MISTAKE,
        'option "stop" must be of an array of strings',
    ),
    "37 a format that is none": (
        "generate",
        {"model": "tiny", "prompt": "x", "format": "xml"},
        MISTAKE,
        r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object',
    ),
    "a grammar that is none": (
        "generate",
        {"model": "tiny", "prompt": "x", "grammar": "root ::= foo"},
        400,
        "grammar refused: Rule 'foo' not found",
    ),
    "a regex that is none": (
        "generate",
        {"model": "tiny", "prompt": "x", "regex": "a("},
        400,
        "~regex refused: .",
    ),
    "a schema that is none": (
        "generate",
        {"model": "tiny", "prompt": "x", "format": {"type": "nothing"}},
        400,
        "~JSON schema conversion failed: .",
    ),
    "two formats": (
        "generate",
        {"model": "tiny", "prompt": "x", "format": "json", "regex": "a"},
        400,
        "format and regex cannot be used together",
    ),
    "a bias out of range": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"logit_bias": {"5": 1000}}},
        400,
        'option "logit_bias" of "5" must be a number from -100 to 100',
    ),
    "a prompt too long to be cut": (
        "generate",
        {"model": "tiny", "prompt": "red ball " * 400, "truncate": False},
        400,
        r"~.*context.*(exceed|too large|longer|too long)|.*(exceed|too large|longer|too long)"
        r".*context",
    ),
    "a prompt too long to be shifted": (
        "generate",
        {"model": "tiny", "prompt": "red ball " * 400, "shift": False},
        400,
        r"~the prompt is longer than the context length",
    ),
}

CHAT: dict[str, Row] = {
    "messages too long to be shifted": (
        "chat",
        {
            "model": "tiny",
            "messages": [{"role": "user", "content": "red ball " * 400}],
            "shift": False,
            "truncate": False,
        },
        400,
        r"~the prompt is longer than the context length",
    ),
    "cloud": ("chat", {"model": "x:1b-cloud", "messages": HI}, 403, NO_CLOUD),
    "48 unknown model": ("chat", {"model": "NoPe"}, 404, "model 'NoPe' not found"),
    "47 no model": ("chat", {"messages": HI}, 400, "model is required"),
    "blank model": ("chat", {"model": " "}, 400, "model is required"),
    "bad name": ("chat", {"model": "bad name"}, 400, "invalid model name"),
    "two sources": ("chat", {"model": "x:cloud:local"}, 400, CONFLICT),
    "top_logprobs": (
        "chat",
        {"model": "nope", "top_logprobs": 21},
        400,
        "top_logprobs must be between 0 and 20",
    ),
    "thinking": (
        "chat",
        {"model": "tiny", "think": True},
        400,
        '"tiny" does not support thinking',
    ),
    "52 tools": (
        "chat",
        {
            "model": "tiny",
            "messages": HI,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        },
        400,
        "registry.ollama.ai/library/tiny:latest does not support tools",
    ),
    "option of a wrong type": (
        "chat",
        {"model": "tiny", "messages": HI, "options": {"num_ctx": "many"}},
        MISTAKE,
        'option "num_ctx" must be of type integer',
    ),
    "a format that is none": (
        "chat",
        {"model": "tiny", "messages": HI, "format": 5},
        MISTAKE,
        'invalid format: "5"; expected "json" or a valid JSON Schema object',
    ),
}

EMBED: dict[str, Row] = {
    "cloud": ("embed", {"model": "x:cloud", "input": "x"}, 403, NO_CLOUD),
    "older form, cloud": ("embeddings", {"model": "x:cloud", "prompt": "x"}, 403, NO_CLOUD),
    "68 no model": ("embed", {"input": "x"}, 404, "model '' not found"),
    "unknown model": (
        "embed",
        {"model": "x", "input": "x"},
        404,
        'model "x" not found, try pulling it first',
    ),
    "69 a number as input": ("embed", {"model": "x", "input": 5}, 400, "invalid input type"),
    "a number among inputs": (
        "embed",
        {"model": "x", "input": ["a", 1]},
        400,
        "invalid input type",
    ),
    "bad name": ("embed", {"model": "bad name", "input": "x"}, 400, "invalid model name"),
    "two sources": ("embed", {"model": "x:cloud:local", "input": "x"}, 400, CONFLICT),
    "72 too long": (
        "embed",
        {"model": "tiny", "input": ["a", "red ball " * 600], "truncate": False},
        400,
        "the input length exceeds the context length",
    ),
    "73 no context": (
        "embed",
        {"model": "tiny", "input": "x", "options": {"num_ctx": 1}},
        400,
        "input after truncation exceeds maximum context length",
    ),
    "dimensions that are no number": (
        "embed",
        {"model": "tiny", "input": "x", "dimensions": "5"},
        400,
        r"~json: ",
    ),
    "older form, no model": ("embeddings", {"prompt": "x"}, 400, "model is required"),
    "older form, unknown": (
        "embeddings",
        {"model": "x", "prompt": "x"},
        404,
        'model "x" not found, try pulling it first',
    ),
    "older form, bad name": ("embeddings", {"model": "foo:"}, 400, "invalid model name"),
    "older form, too long": (
        "embeddings",
        {"model": "tiny", "prompt": "red ball " * 600},
        MISTAKE,
        "the input length exceeds the context length",
    ),
    "older form, a list": ("embeddings", {"model": "tiny", "prompt": ["x"]}, 400, r"~json: "),
}

STORE: dict[str, Row] = {
    "94 create with a bad template": (
        "create",
        {"model": "x", "from": "tiny", "template": "{{ .Prompt", "stream": False},
        400,
        "~template error: ",
    ),
    "show in the cloud": (
        "show",
        {"model": "x:cloud"},
        403,
        "ollama cloud is disabled: remote model details are unavailable",
    ),
    "80 show unknown": ("show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
    "show unknown by name": ("show", {"name": "a/nope:t"}, 404, "model 'a/nope:t' not found"),
    "81 show nothing": ("show", {}, 400, "model is required"),
    "show bad name": ("show", {"model": "bad name"}, 400, "invalid model name"),
    "show two sources": ("show", {"model": "x:cloud:local"}, 400, CONFLICT),
    "86 delete unknown": ("delete", {"model": "nope"}, 404, "model 'nope' not found"),
    "87 delete nothing": ("delete", {}, 400, "model is required"),
    "87 delete bad name": ("delete", {"model": "bad name"}, 400, 'name "bad name" is invalid'),
    "delete two sources": ("delete", {"model": "x:cloud:local"}, 400, CONFLICT),
    "85 copy unknown": (
        "copy",
        {"source": "nope", "destination": "y"},
        404,
        'model "nope" not found',
    ),
    "copy bad source": (
        "copy",
        {"source": "bad name", "destination": "also bad"},
        400,
        'source "bad name" is invalid',
    ),
    "copy bad destination": (
        "copy",
        {"source": "tiny", "destination": "bad name"},
        400,
        'destination "bad name" is invalid',
    ),
    "copy out of the store": (
        "copy",
        {"source": "tiny", "destination": "../../../x"},
        400,
        'destination "../../../x" is invalid',
    ),
    "97 pull nothing": ("pull", {}, 400, "invalid model name"),
    "pull a bad name": ("pull", {"name": "bad name"}, 400, "invalid model name"),
    "push nothing": ("push", {}, 400, "model is required"),
    "98 push what is not here": (
        "push",
        {"model": "nothing", "stream": False},
        404,
        "model 'nothing:latest' not found",
    ),
    "pull over http": ("pull", {"model": "http://h/n/m"}, 400, "insecure protocol http"),
    "91 create nothing": (
        "create",
        {"model": "x"},
        400,
        "neither 'from' or 'files' was specified",
    ),
    "create no name": ("create", {"from": "tiny"}, 400, "invalid model name"),
    "create bad name": (
        "create",
        {"model": "bad name", "from": "tiny"},
        400,
        "invalid model name",
    ),
    "create from a bad name": (
        "create",
        {"model": "x", "from": "bad name"},
        400,
        "invalid model name",
    ),
    "92 create out of the folder": (
        "create",
        {"model": "x", "files": {"../a.gguf": NOWHERE}},
        400,
        "file path must be relative",
    ),
    "create from an absolute path": (
        "create",
        {"model": "x", "files": {"/a.gguf": NOWHERE}},
        400,
        "file path must be relative",
    ),
    "92 create without a digest": (
        "create",
        {"model": "x", "files": {"a.gguf": ""}},
        400,
        "invalid digest format",
    ),
    "92 create without a file": ("create", {"model": "x", "files": {}}, 400, "unknown type"),
    "create with wrong parameters": (
        "create",
        {"model": "x", "from": "tiny", "parameters": {"temperature": "hot"}, "stream": False},
        400,
        'option "temperature" must be of type float32',
    ),
    "94 create with wrong lengths": (
        "create",
        {"model": "x", "from": "tiny", "info": {"context_length": 1.5}, "stream": False},
        400,
        'info field "context_length" must be a non-negative integer',
    ),
    "create with a wrong family": (
        "create",
        {"model": "x", "from": "tiny", "info": {"model_family": 5}, "stream": False},
        400,
        'info field "model_family" must be a string',
    ),
    "create with a wrong name, after a system prompt": (
        "create",
        {"model": "x", "from": "tiny", "system": "text", "info": {"base_name": 5}},
        400,
        'info field "base_name" must be a string',
    ),
    "create with a wrong license": (
        "create",
        {"model": "x", "from": "tiny", "system": "text", "license": 5, "stream": False},
        MISTAKE,
        "license must be a string or a list of strings",
    ),
    "create of a malformed digest": (
        "create",
        {"model": "x", "files": {"a.gguf": "nonsense"}},
        MISTAKE,
        "invalid digest format",
    ),
    "create of a blob that is not there": (
        "create",
        {"model": "x", "files": {"a.gguf": NOWHERE}},
        MISTAKE,
        "~open .*: no such file or directory",
    ),
    "create with two adapters": (
        "create",
        {"model": "x", "from": "tiny", "adapters": {"a": NOWHERE, "b": NOWHERE}},
        400,
        "only one adapter is currently supported",
    ),
    "create with an empty adapter": (
        "create",
        {"model": "x", "from": "tiny", "adapters": {"a": ""}},
        400,
        "invalid digest format",
    ),
    "create a draft of nothing": (
        "create",
        {"model": "x", "from": "tiny", "draft_quantize": "q8_0"},
        400,
        "--draft-quantize requires a DRAFT model",
    ),
}

ROWS = {
    f"{route} {name}": row
    for route, table in (
        ("generate", GENERATE),
        ("chat", CHAT),
        ("embed", EMBED),
        ("store", STORE),
    )
    for name, row in table.items()
}
