"""Put the held-out questions to cria and print a table of right answers.

python -m training.cria.eval --checkpoint build/cria/checkpoint.pt
python -m training.cria.eval --server http://127.0.0.1:11434 --model cria
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from training.cria.corpus.mix import questions
from training.cria.corpus.sample import Json, Question
from training.cria.grade import Answer, is_right

__all__ = ["GOALS", "ask_server", "interval", "main", "table"]

# what it should reach, in percent
GOALS = {"puna": 90, "sums": 95, "world": 90, "tools": 90, "memory": 90, "limits": 80}
_SECONDS = 120.0


def main() -> None:
    """Read the command line, ask, print the table."""
    args = _arguments()
    asked = questions(args.seed, small=args.small)
    if args.only:
        asked = [q for q in asked if q.skill.split(",")[0] in args.only.split(",")]
    if args.write:
        lines = [json.dumps(asdict(question), ensure_ascii=False) + "\n" for question in asked]
        args.write.write_text("".join(lines))
        return
    answer = _answerer(args)
    marked = []
    for question in asked:
        got = answer(question)
        right = is_right(question, got)
        marked.append((question, right))
        if args.wrong and not right:
            print(json.dumps({"skill": question.skill, "asked": question.turns[-1].text,
                              "check": question.check, "got": asdict(got)}))  # fmt: skip
    print(table(marked))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Evaluate cria on held-out questions.")
    parser.add_argument("--checkpoint", type=Path, help="a torch checkpoint")
    parser.add_argument("--server", help="URL of a running server")
    parser.add_argument("--model", default="cria")
    parser.add_argument("--threads", type=int, default=0, help="of the server; 1 if it is busy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a ninth of the questions")
    parser.add_argument("--only", default="", help="skills, parted by commas")
    parser.add_argument("--wrong", action="store_true", help="print each wrong answer")
    parser.add_argument("--write", type=Path, help="only write the questions as JSON lines")
    args = parser.parse_args()
    if not (args.checkpoint or args.server or args.write):
        parser.error("one of --checkpoint, --server and --write is needed")
    return args


def _answerer(args: argparse.Namespace) -> Callable[[Question], Answer]:
    if args.server:
        return lambda question: ask_server(args.server, args.model, question, threads=args.threads)
    # by name: torch is needed for this way alone
    speaker = importlib.import_module("training.cria.speak").Speaker(args.checkpoint)
    answer: Callable[[Question], Answer] = speaker.answer
    return answer


def ask_server(url: str, model: str, question: Question, *, threads: int = 0) -> Answer:
    """The answer of a running server at temperature 0, computed by so many threads (0: as many as
    it likes). Raises OSError when it does not answer."""
    body: dict[str, Json] = {
        "model": model,
        "messages": [turn.message() for turn in question.turns],
        "think": question.think,
        "stream": False,
        "options": {"temperature": 0, "num_predict": 220, "num_thread": threads},
    }
    if question.tools:
        body["tools"] = [tool.declared() for tool in question.tools]
    request = urllib.request.Request(
        f"{url.rstrip('/')}/api/chat",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as reply:
        message = json.load(reply)["message"]
    calls = tuple(
        (call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or []
    )
    return Answer(message["content"].strip(), message.get("thinking") or "", calls)


def table(marked: list[tuple[Question, bool]]) -> str:
    """Right answers by skill, as a Markdown table. The interval holds the share of all questions
    that could have been drawn, 19 times in 20."""
    skills = dict.fromkeys(question.skill for question, _ in marked)
    rows = ["| skill | right | of | share | interval | goal |", "|---|---|---|---|---|---|"]
    for skill in skills:
        marks = [right for question, right in marked if question.skill == skill]
        right, count = sum(marks), len(marks)
        low, high = interval(right, count)
        goal = f"{GOALS[skill]} %" if skill in GOALS else ""
        share = f"{100 * right / count:.1f} % | {100 * low:.0f}-{100 * high:.0f} %"
        rows.append(f"| {skill} | {right} | {count} | {share} | {goal} |")
    return "\n".join(rows)


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's interval of confidence, 95 %, for the share of which `right` of `count` is a draw
    (E. B. Wilson, 1927). `count` is at least 1."""
    z = 1.96
    middle = right + z * z / 2
    spread = z * math.sqrt(right * (count - right) / count + z * z / 4)
    return (middle - spread) / (count + z * z), (middle + spread) / (count + z * z)


if __name__ == "__main__":
    main()
