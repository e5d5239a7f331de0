"""Lines that people have in their scripts for the reference, run with `ollama` as another name of
`puna`, in a real bash against the real server.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

LINES: dict[str, tuple[str, str]] = {
    "a prompt as an argument": ('ollama run chatty "Why is the sky blue?"', r"\S"),
    "a file in the prompt": ('ollama run chatty "Summarize this file: $(cat README.md)"', r"\S"),
    "a pipe": ('cat README.md | ollama run chatty "Summarize:"', r"\S"),
    "a file as standard input": ("ollama run chatty < README.md", r"\S"),
    "a flag after the prompt": ('ollama run chatty "hi" --verbose 2>&1', r"eval rate: +[\d.]+ tok"),
    "an answer into a file": ("ollama run chatty hi > out.txt; cat out.txt", r"\S"),
    "no escape codes in a file": ("ollama run chatty hi 2>&1 | grep -c $'\\x1b' || true", r"^0$"),
    "JSON": ("ollama run chatty hi --format json --nowordwrap", r"\S"),
    "only loading": ('ollama run chatty ""', r"^$"),
    "loading from nothing": ("ollama run chatty < /dev/null", r"^$"),
    "a vector": ("ollama run bert 'Hello world' | tr -d '[]' | cut -d, -f1", r"^-?\d"),
    "a vector of a pipe": ("echo 'Hello world' | ollama run bert", r"^\[-?[\d.e-]+,"),
    "names for a loop": ("ollama list | awk 'NR>1 {print $1}' | grep ^tiny", r"^tiny:latest$"),
    "the other name of list": ("ollama ls | tail -n +2 | grep -c tiny:latest", r"^1$"),
    "what is running": (
        "ollama run chatty ''; ollama ps | tail -n +2 | awk '{print $1}'",
        "(chatty|tiny):latest",  # of names for the same weights, the one that loaded them
    ),
    "a system prompt": ("ollama show chatty --system", r"^Be kind\.$"),
    "a Modelfile": ("ollama show --modelfile chatty | grep -i ^system", r"Be kind\."),
    "a model made of a heredoc": (
        "printf 'FROM chatty\\nPARAMETER temperature 1\\nSYSTEM You are Mario.\\n' > Modelfile && "
        "ollama create mario -f ./Modelfile 2>/dev/null && ollama show mario --system && "
        "ollama rm mario",
        r"^You are Mario\.deleted 'mario'$",
    ),
    "copying and deleting": (
        "ollama cp tiny my-model && ollama rm my-model",
        r"^copied 'tiny' to 'my-model'\ndeleted 'my-model'$",
    ),
    "is it installed": ("ollama show nope >/dev/null 2>&1 || echo missing", r"^missing$"),
    "the version": ("ollama -v | awk '{print $NF}'", r"^\d+\.\d+\.\d+$"),
    "help": ("ollama help run | head -1; ollama run --help | grep -c -- --keepalive", r"\n1$"),
    "a line as standard input": ('ollama run chatty <<< "Why is the sky blue?"', r"\S"),
    "thoughts": ('ollama run thinker --think "Where should I visit?"', r"^Thinking\.\.\.\n"),
    "no thoughts": ('ollama run thinker --think=false "Where should I visit?"', r"^(?!Thinking)"),
    "thoughts hidden": ("ollama run thinker --think --hidethinking hi; echo end", r"^end$"),
    "fewer dimensions": (
        "ollama run bert 'Hello world' --dimensions 4 | tr ',' '\\n' | wc -l",
        r"^4$",
    ),
    "kept for ten minutes": (
        "ollama run chatty '' --keepalive 10m; ollama ps | grep -c 'minutes from now'",
        r"^[1-9]",
    ),
    "every model shown": (
        "ollama list | awk 'NR>1 {print $1}' | xargs -I{} bash -c '"
        + sys.executable
        + " -m puna show {} > /dev/null' && echo all",
        r"^all$",
    ),
    "quantised": (
        "echo FROM tiny > Modelfile; ollama create --quantize q8_0 small 2>/dev/null && "
        "ollama show small | awk '/quantization/ {print $2}'; ollama rm small",
        r"^Q8_0\ndeleted 'small'$",
    ),
    "another address": ("OLLAMA_HOST=http://$OLLAMA_HOST/ ollama ls | awk 'NR==1'", r"^NAME +ID "),
    "nobody there": ("OLLAMA_HOST=127.0.0.1:1 PUNA_NO_START=1 ollama ls 2>&1 || echo no", r"no$"),
    "stopping": ("ollama stop chatty && echo stopped", r"^stopped$"),
}
REQUESTS: dict[str, tuple[str, str]] = {
    "generate": (
        'api/generate -d \'{"model": "chatty", "prompt": "Why?", "stream": false}\'',
        r'"done":true',
    ),
    "chat": (
        'api/chat -d \'{"model": "chatty", "messages": [{"role": "user", "content": '
        '"Why?"}]}\' | tail -1',
        r'"done":true',
    ),
    "loading": ('api/generate -d \'{"model": "chatty"}\'', r'"done_reason":"load"'),
    "kept for ever": (
        'api/generate -d \'{"model": "chatty", "keep_alive": -1}\'; ollama ps',
        r"chatty:latest .* Forever",
    ),
    "sent away": (
        'api/generate -d \'{"model": "chatty", "keep_alive": 0}\'',
        r'"done_reason":"unload"',
    ),
    "vectors": (
        'api/embed -d \'{"model": "bert", "input": ["Why?", "How?"]}\'',
        r'"embeddings":\[\[',
    ),
    "the list": ('api/tags | grep -o \'"name":"tiny:latest"\'', "tiny"),
    "the details": ('api/show -d \'{"model": "chatty"}\'', r'"capabilities":\["completion"'),
    "the version": ("api/version", r'"version":"[\d.]+"'),
    "whether it runs": ("", "^Ollama is running$"),
    "OpenAI's chat": (
        'v1/chat/completions -H \'Content-Type: application/json\' -d \'{"model": "chatty", '
        '"messages": [{"role": "user", "content": "Hello!"}]}\'',
        r'"object":"chat.completion"',
    ),
}
if shutil.which("curl"):
    LINES |= {
        f"curl: {name}": (f"curl -s http://$OLLAMA_HOST/{request}", expected)
        for name, (request, expected) in REQUESTS.items()
    }


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
@pytest.mark.usefixtures("chatty", "bert", "thinker")
def test_line(line: str, expected: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Puna runs models.\n")
    script = (
        f"shopt -s expand_aliases; set -o pipefail\nalias ollama='{sys.executable} -m puna'\n{line}"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env=server.env,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(expected, done.stdout.strip()), done.stdout
