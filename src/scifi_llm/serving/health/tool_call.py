"""A tool call and back: offer a tool, read the call, send the result, read the answer."""

from __future__ import annotations

import json
from typing import Any

from ...console import log_next, log_ok, log_test, log_warn
from ...errors import ToolkitError
from ...openai_api.server import LOGS
from .probe import Target, arguments, connect, first_choice, request

QUESTION = "Where was Elena Ruhl born? Use the tool find_character to look it up."
FACT = "Ganymede"
RESULT = json.dumps({"name": "Elena Ruhl", "born": FACT})
# Enumerations keep what even a small model is forced to write short.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "enum": ["Elena Ruhl", "Marcus Holt"]},
        "field": {"type": "string", "enum": ["born", "ship", "rank"]},
    },
    "required": ["name", "field"],
    "additionalProperties": False,
}
NAME = "find_character"
TOOL = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Look up one field of a character of the book.",
        "parameters": SCHEMA,
        # vLLM 0.32 holds even a forced call to its schema only where the client asks for it.
        "strict": True,
    },
}
FORCED = {"type": "function", "function": {"name": NAME}}
TOKENS = 96
SERVE = (
    "vLLM needs --enable-auto-tool-choice and --tool-call-parser; ./serve_vllm.sh sets both for "
    "the models it knows. Others: ./serve_vllm.sh MODEL -- --enable-auto-tool-choice "
    "--tool-call-parser hermes"
)
WEAK = "The server is right; small models seldom call tools. Larger ones do: ./serve_vllm.sh MODEL"
NEXT = "vllm/health_checks/12_metrics_check.py"


def faults(arguments: Any, schema: dict[str, Any]) -> list[str]:
    """What an object of string fields breaks of `schema`; [] where nothing."""
    if not isinstance(arguments, dict):
        return ["no JSON object"]
    known = schema["properties"]
    found = [f"{key} is missing" for key in schema["required"] if key not in arguments]
    found += [f"{key} is unknown" for key in arguments if key not in known]
    for key in (key for key in known if key in arguments):
        value = arguments[key]
        if not isinstance(value, str):
            found.append(f"{key} is no string")
        elif value not in known[key].get("enum", [value]):
            found.append(f"{key} is {value!r}")
    return found


def ask(target: Target, messages: list[dict[str, Any]], choice: Any) -> dict[str, Any]:
    """The message that answers, with the tool offered. Raises ToolkitError for a refusal."""
    body = target.chat("", TOKENS, messages=messages, tools=[TOOL], tool_choice=choice)
    reply = request(target, "POST", "chat/completions", body)
    if 400 <= reply.status < 500:
        problem = str(_refusal(reply.body, reply.status))
        raise ToolkitError(f"The server refuses tools: {problem}", SERVE)
    message = first_choice(reply.required()).get("message")
    if not isinstance(message, dict):
        raise ToolkitError("The answer has no message.", LOGS)
    return message


def _refusal(body: dict[str, Any] | None, status: int) -> Any:
    error = (body or {}).get("error")
    return error.get("message") if isinstance(error, dict) else error or f"HTTP {status}"


def call_of(message: dict[str, Any]) -> dict[str, Any] | None:
    """The first tool call of a message, or None. Raises ToolkitError where it has another form."""
    calls = message.get("tool_calls") or []
    if not calls:
        return None
    try:
        function = calls[0]["function"]
        if isinstance(function["name"], str) and isinstance(function["arguments"], str):
            return {"id": str(calls[0]["id"]), **function}
    except (KeyError, TypeError, IndexError):
        pass
    raise ToolkitError(f"The tool call is not of OpenAI's form: {str(calls)[:100]}.", LOGS)


def wrong_with(call: dict[str, Any]) -> str:
    """What is wrong with a call's name and arguments, or ""."""
    if call["name"] != NAME:
        return f"it calls {call['name']!r}"
    try:
        return ", ".join(faults(json.loads(call["arguments"]), SCHEMA))
    except ValueError:
        return f"the arguments are not JSON: {call['arguments'][:60]!r}"


def offered(target: Target, question: list[dict[str, Any]]) -> None:
    """tool_choice auto: the model may call; warns where it cannot."""
    call = call_of(ask(target, question, "auto"))
    if call is None:
        log_warn(f"auto: accepted, but the model answered without a call. {WEAK}")
    elif wrong := wrong_with(call):
        log_warn(f"auto: the model called, but {wrong}. {WEAK}")
    else:
        log_ok(f"auto: the model calls {call['name']}({call['arguments']})")


def forced(target: Target, question: list[dict[str, Any]]) -> dict[str, Any]:
    """A named tool_choice: the server makes the model call. Raises ToolkitError without a call."""
    call = call_of(ask(target, question, FORCED))
    if call is None:
        raise ToolkitError("forced: the answer has no tool call.", SERVE)
    if wrong := wrong_with(call):
        raise ToolkitError(f"forced: the call breaks the schema: {wrong}.", LOGS)
    log_ok(f"forced: {call['name']}({call['arguments']}) fits the schema")
    return call


def answered(target: Target, question: list[dict[str, Any]], call: dict[str, Any]) -> None:
    """Send the tool's result; warns where the answer does not use it."""
    function = {"name": call["name"], "arguments": call["arguments"]}
    made = {"id": call["id"], "type": "function", "function": function}
    messages = [
        *question,
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call["id"], "content": RESULT},
    ]
    text = str(ask(target, messages, "none").get("content") or "").strip()
    if FACT in text:
        log_ok(f"result: the answer uses the tool's result: {' '.join(text.split())[:100]}")
    elif text:
        log_warn(f"result: accepted, but the answer does not use it. {WEAK}")
    else:
        log_warn(f"result: accepted, but the model wrote no text. {WEAK}")


def main() -> int:
    """Entry of 11_tool_call_test.py."""
    purpose = "Check a tool call: offered, forced, its result sent back."
    options = arguments("11_tool_call_test.py", purpose).parse_args()
    target = connect(options.base_url, options.model)
    log_test(f"Tool calls of {target.model} at {target.base_url}")
    question = [{"role": "user", "content": QUESTION}]
    offered(target, question)
    answered(target, question, forced(target, question))
    log_next(NEXT)
    return 0
