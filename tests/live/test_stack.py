"""The `openai` client through the real proxy to the real vLLM."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
import pytest

QUESTION = "What are Elena's key traits?"
MODEL = "SmolLM2-135M-Instruct"
TOOL = {
    "type": "function",
    "function": {
        "name": "find_note",
        "description": "Find a note of the canon.",
        "parameters": {
            "type": "object",
            "properties": {"title": {"type": "string"}},
            "required": ["title"],
        },
    },
}


@pytest.fixture
def client(stack: Any) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{stack.rag_port}/v1"
    with openai.OpenAI(base_url=url, api_key="EMPTY", max_retries=0) as made:
        yield made


def ask(**more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": MODEL, "messages": messages, "max_tokens": 40, "temperature": 0, **more}


def test_models(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == MODEL
    assert model.model_extra is not None
    assert model.model_extra["max_model_len"] == 8192


def test_chat_knows_the_canon(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(**ask())
    assert raw.headers["x-rag-status"] == "ok"
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.model_extra["rag"]["sources"][0]["path"] == "characters/elena-ruhl.md"
    assert answer.usage.prompt_tokens > 300


def test_without_canon_it_knows_nothing(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        **ask(extra_body={"rag": {"enabled": False}})
    )
    assert raw.headers["x-rag-status"] == "disabled"
    assert raw.parse().usage.prompt_tokens < 100


def test_stream(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(**ask(stream=True, stream_options={"include_usage": True}))
    )
    text = "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    assert text
    assert chunks[-1].choices == []
    assert chunks[-1].model_extra["rag"]["sources"][0]["path"] == "characters/elena-ruhl.md"
    assert chunks[-2].usage.completion_tokens > 5


def test_tools(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        **ask(
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "find_note"}},
            max_tokens=60,
        )
    )
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "find_note"
    # And the round trip: the model is told the tool's result.
    messages = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "Elena Ruhl is patient."},
    ]
    again = client.chat.completions.create(**ask(messages=messages, tools=[TOOL]))
    assert again.choices[0].finish_reason in ("stop", "length", "tool_calls")


def test_list_content(client: openai.OpenAI) -> None:
    content = [{"type": "text", "text": QUESTION}]
    answer = client.chat.completions.create(**ask(messages=[{"role": "user", "content": content}]))
    assert answer.model_extra["rag"]["status"] == "ok"


def test_structured_output_passes(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}},
        "required": ["name"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    answer = client.chat.completions.create(**ask(response_format=form, max_tokens=60))
    assert set(json.loads(answer.choices[0].message.content)) == {"name"}


def test_an_unknown_model_names_the_served_one(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=f"Served here: {MODEL}"):
        client.chat.completions.create(**ask(model="gpt-5"))


def test_completions_pass_through(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt="Once upon a", max_tokens=4)
    assert answer.usage.prompt_tokens < 10


def test_search_equals_the_query_script(stack: Any) -> None:
    found = httpx.post(
        f"http://127.0.0.1:{stack.rag_port}/rag/search",
        json={"query": QUESTION, "budget_tokens": 100_000},
        trust_env=False,
    ).json()["results"]
    typed = json.loads(stack.must("RAG/4_query.py", QUESTION, "--json"))["results"]
    assert [(r["path"], r["heading"]) for r in found] == [(r["path"], r["heading"]) for r in typed]


def test_own_notes_are_the_source_after_a_restart_of_the_proxy(stack: Any) -> None:
    note = stack.folder / "rag_home" / "data" / "characters" / "maud.md"
    note.parent.mkdir(parents=True)
    note.write_text("# Maud Okonkwo\n\nMaud keeps bees on the night side of Venus.", "utf-8")
    try:
        stack.must("RAG/1_ingest.py")
        assert "has left collection" in stack.run("RAG/2_embed_and_store.py").stderr
        stack.must("./serve_rag_proxy.sh", "--stop")
        upstream = f"http://127.0.0.1:{stack.vllm_port}/v1"
        stack.must("./serve_rag_proxy.sh", "scifi_world", "--upstream", upstream, "--detach")
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{stack.rag_port}/v1", api_key="EMPTY"
        ) as client:
            answer = client.chat.completions.create(
                **ask(messages=[{"role": "user", "content": "What does Maud keep?"}])
            )
        sources = answer.model_extra["rag"]["sources"]
        assert [source["path"] for source in sources] == ["characters/maud.md"]
    finally:
        note.unlink()
        stack.must("RAG/1_ingest.py")
        stack.must("RAG/2_embed_and_store.py")


class Recorder(BaseHTTPRequestHandler):
    """An upstream that keeps what it is sent."""

    bodies: list[dict[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.bodies.append(json.loads(body))
        message = {"index": 0, "message": {"role": "assistant", "content": "Noted."}}
        answer = json.dumps({"id": "1", "object": "chat.completion", "choices": [message]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_recording_upstream_sees_the_note_and_every_field(stack: Any, free_port: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    upstream = f"http://127.0.0.1:{server.server_port}/v1"
    port = str(free_port)
    try:
        stack.must("./serve_rag_proxy.sh", "--port", port, "--upstream", upstream, "--detach")
        fields = {"temperature": 0.85, "top_p": 0.9, "tools": [TOOL], "tool_choice": "auto",
                  "seed": 3, "stop": ["END"], "logprobs": True}  # fmt: skip
        url = f"http://127.0.0.1:{port}/v1"
        with openai.OpenAI(base_url=url, api_key="EMPTY", max_retries=0) as client:
            answer = client.chat.completions.with_raw_response.create(
                **{**ask(), **fields, "extra_body": {"min_p": 0.1, "rag": {"top_k": 2}}}
            )
        assert answer.headers["x-rag-status"] == "ok", answer.text
        assert answer.parse().choices[0].message.content == "Noted."
    finally:
        stack.must("./serve_rag_proxy.sh", "--port", port, "--stop")
        server.shutdown()
        server.server_close()
    (sent,) = Recorder.bodies
    always, asked = sent["messages"]
    assert (always["role"], asked["role"]) == ("system", "user")
    assert "Style Core" in always["content"]
    assert "key traits are patience, exactness, stubbornness" in asked["content"]
    assert asked["content"].endswith(QUESTION)
    assert {key: sent[key] for key in [*fields, "min_p"]} == {**fields, "min_p": 0.1}
    assert set(sent) == {"model", "messages", "max_tokens", "min_p", *fields}


def test_the_proxy_says_when_vllm_is_down(stack: Any, free_port: int) -> None:
    port = str(free_port)
    try:
        stack.must("./serve_rag_proxy.sh", "--port", port, "--upstream", "http://127.0.0.1:9/v1",
                   "--detach")  # fmt: skip
        with (
            openai.OpenAI(
                base_url=f"http://127.0.0.1:{port}/v1", api_key="EMPTY", max_retries=0
            ) as client,
            pytest.raises(openai.InternalServerError, match=r"Start vLLM with: \./serve_vllm\.sh"),
        ):
            client.chat.completions.create(**ask())
    finally:
        stack.must("./serve_rag_proxy.sh", "--port", port, "--stop")
