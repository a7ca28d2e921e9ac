"""The author's page in a real Chromium, over the real proxy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CTRL, SHIFT = 2, 8
PASSAGE = "Elena Ruhl lifted the lead from the rail."
EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
# Text whose contrast with what lies behind it is below WCAG's 4.5:1 (3:1 for large or bold text).
FAINT_TEXT = """
(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parse(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parse(colour)[3] ?? 1) > 0.99) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
    if (!own || !node.offsetParent) continue;
    const a = light(getComputedStyle(node).color), b = light(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${node.tagName} ${node.className} ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""


@pytest.fixture
def url(stack: Any) -> str:
    return f"http://127.0.0.1:{stack.rag_port}/"


def explain(page: Any, text: str, held: int = CTRL) -> None:
    page.press("Escape")
    page.press("/")
    page.eval("document.getElementById('query').select()")
    page.type(text)
    page.eval("document.getElementById('results').replaceChildren()")
    page.press("Enter", held)
    page.until("document.querySelector('.passage, .nothing')")


def titles(page: Any) -> list[str]:
    found: list[str] = page.eval(
        "[...document.querySelectorAll('[data-kind=sent] .title')].map((e) => e.textContent)"
    )
    return found


def test_explain_by_keyboard_alone(page: Any, url: str, tmp_path: Path) -> None:
    page.open(url)
    page.until("document.querySelector('.state[data-state=ok] b')?.textContent === 'Proxy'")
    assert "SmolLM2" in page.eval("document.getElementById('states').textContent")
    assert page.eval("document.querySelector('h1').getBoundingClientRect().height") > 20, "no font"
    assert page.eval("document.activeElement.id") == "query"
    page.type(PASSAGE)
    page.press("Enter", CTRL)
    page.until("document.querySelector('[data-kind=sent]')")
    assert any(title.startswith("Elena Ruhl") for title in titles(page))
    assert "of 2,000 tokens" in page.eval("document.querySelector('.budget').textContent")
    kinds = "[...document.querySelectorAll('.group > h2')].map((e) => e.firstChild.data)"
    assert page.eval(kinds)[:3] == ["Always sent", "Sent", "What the model would read"]
    page.picture(tmp_path / "explain.png")
    page.press("Escape")
    page.press("j")
    page.press("Enter")
    page.until("document.activeElement.closest('details').open")
    page.press("k")
    page.press("o")
    page.until("[...document.querySelectorAll('#results .passage')].every((e) => e.open ?? true)")
    told = page.eval("[...document.querySelectorAll('.message pre')].at(-1).textContent")
    assert told.endswith(PASSAGE)
    page.press("?")
    page.until("document.getElementById('keys').open")
    page.press("Enter")
    page.until("!document.getElementById('keys').open")
    assert page.errors == []
    assert {address[: len(url)] for address in page.asked} == {url}


def test_filters_reach_the_search(page: Any, url: str) -> None:
    page.open(url)
    explain(page, "What does the unsigned letter say?", CTRL | SHIFT)
    assert any("Unsigned Letter" in title for title in titles(page))
    for name, value in {"as_of": "1", "top_k": "3"}.items():
        page.eval(f"document.getElementById('{name}').value = '{value}'")
    explain(page, "What does the unsigned letter say?", CTRL | SHIFT)
    assert not any("Unsigned Letter" in title for title in titles(page))
    assert 0 < len(titles(page)) <= 3
    page.eval("document.getElementById('as_of').value = '-1'")
    page.press("Enter", CTRL)
    page.until("!document.getElementById('problem').hidden")
    assert page.eval("document.activeElement.id") == "as_of"
    assert page.errors == []


def test_near_misses_are_few_and_the_rest_is_folded(page: Any, url: str, tmp_path: Path) -> None:
    page.open(url)
    page.eval("document.getElementById('top_k').value = '3'")
    explain(page, PASSAGE)
    dropped = "[...document.querySelectorAll('[data-kind=dropped]')]"
    assert page.eval(f"{dropped}.length") > 5
    assert page.eval(f"{dropped}.filter((e) => e.checkVisibility()).length") == 5
    assert all(page.eval(f"{dropped}.map((e) => e.textContent.includes('left out: '))"))
    page.picture(tmp_path / "left-out.png")
    page.eval("document.querySelector('.rest > summary').click()")
    assert page.eval(f"{dropped}.every((e) => e.checkVisibility())")


@pytest.fixture
def two_books(stack: Any, tmp_path: Path, free_port: int) -> Iterator[str]:
    """A proxy for books of its own: `evil-book`, whose note holds HTML, and `good-book`."""
    here = ("env", f"RAG_HOME={tmp_path}")
    for name, text in (("evil-book", f"Mallory sells {EVIL} lamps."), ("good-book", "Ana sails.")):
        note = tmp_path / "data" / "characters" / "somebody.md"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"# {text}\n\n{text}\n", "utf-8")
        stack.must(*here, "RAG/1_ingest.py")
        stack.must(*here, "RAG/2_embed_and_store.py", "--model", "fast", "--collection", name)
    words = (*here, "./serve_rag_proxy.sh", "--port", str(free_port))
    stack.must(*words, "--upstream", "http://127.0.0.1:9/v1", "--watch", "--detach")
    yield f"http://127.0.0.1:{free_port}/"
    stack.must(*words, "--stop")


def test_html_in_a_note_is_shown_and_not_obeyed(page: Any, two_books: str) -> None:
    page.open(two_books)
    page.until("document.getElementById('collection').options.length === 3")
    explain(page, "Who sells lamps?")
    assert titles(page) == ["Ana sails."]
    page.eval("document.getElementById('collection').value = 'evil-book'")
    explain(page, f"Mallory {EVIL}")
    page.press("Escape")
    page.press("o")
    assert EVIL in page.eval("document.querySelector('.text').textContent")
    assert page.eval("document.title") == "Canon"
    assert page.eval("document.querySelectorAll('#results img, #results script').length") == 0
    assert page.errors == []


def test_a_note_saved_while_the_proxy_watches_is_found(
    page: Any, two_books: str, tmp_path: Path
) -> None:
    page.open(two_books)
    note = tmp_path / "data" / "characters" / "maud.md"
    note.write_text("# Maud\n\nMaud keeps bees on Venus.\n", "utf-8")
    for _ in range(60):
        explain(page, "Who keeps bees on Venus?")
        if titles(page)[0] == "Maud":
            break
        time.sleep(0.5)
    assert titles(page)[0] == "Maud"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_in_both_themes(page: Any, url: str, dark: bool, tmp_path: Path) -> None:
    page.open(url, dark=dark)
    explain(page, PASSAGE)
    page.press("Escape")
    page.press("o")
    page.picture(tmp_path / ("dark.png" if dark else "light.png"))
    assert page.eval(FAINT_TEXT) == []


@pytest.mark.parametrize("width", [320, 390, 768])
def test_small_screens_need_no_scrolling_sideways(
    page: Any, url: str, width: int, tmp_path: Path
) -> None:
    page.open(url, width=width)
    explain(page, PASSAGE)
    page.picture(tmp_path / f"width-{width}.png")
    assert page.eval("document.documentElement.scrollWidth") <= width
    sizes = "[...document.querySelectorAll('button, select, input')].map((e) => e.offsetHeight)"
    assert min(size for size in page.eval(sizes) if size) >= 36


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_audit_of_accessibility_finds_nothing(
    page: Any, modules: Path, url: str, dark: bool
) -> None:
    page.open(url, dark=dark)
    page.eval((modules / "axe-core" / "axe.min.js").read_text("utf-8"))
    run = "axe.run().then((found) => found.violations.map((v) => [v.id, v.nodes[0].html]))"
    assert page.eval("axe.run().then((found) => found.passes.length)") > 20
    assert page.eval(run) == []
    explain(page, PASSAGE)
    page.press("Escape")
    page.press("o")
    assert page.eval(run) == []
    page.press("?")
    assert page.eval(run) == []


def test_every_field_has_a_label(page: Any, url: str) -> None:
    page.open(url)
    fields = "[...document.querySelectorAll('input, select, textarea')]"
    assert page.eval(f"{fields}.filter((e) => !e.labels.length).map((e) => e.id)") == []
    assert page.eval("document.documentElement.lang") == "en"


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("ago('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1, 0, 0, 1))", "1 second ago"),
        ("ago('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1, 0, 59, 59))", "59 minutes ago"),
        ("ago('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 3))", "2 days ago"),
        ("ago('2026-01-01T00:00:00Z', Date.UTC(2025, 0, 1))", "0 seconds ago"),
        ("ago('no time')", "no time"),
        ("words('What did Élena do with the lead?', {routes: {name: 'Élena Ruhl', dense: 1}})",
         ["élena ruhl", "élena", "lead"]),
        ("preview('# Title\\n\\nA **bold** [[Link]].', [])", "A bold Link."),
        ("preview('word '.repeat(60) + 'lead behind', ['lead']).startsWith('… word')", True),
        ("marked('a (b) c', ['(b)']).length", 3),
        ("marked('Lead, leader, LEAD', ['lead']).map((p) => p.outerHTML ?? p)",
         ["", "<mark>Lead</mark>", ", leader, ", "<mark>LEAD</mark>", ""]),
    ],
)  # fmt: skip
def test_the_parts_of_the_view(page: Any, url: str, call: str, wanted: object) -> None:
    page.open(url)
    assert page.eval(f"import('/assets/view.js').then((view) => view.{call})") == wanted


@pytest.fixture
def locked(stack: Any, free_port: int) -> Iterator[str]:
    """A proxy that asks for a key, with nothing behind it."""
    words = ("./serve_rag_proxy.sh", "--port", str(free_port))
    upstream = ("--upstream", "http://127.0.0.1:9/v1", "--detach")
    stack.must("env", "RAG_API_KEY=secret", *words, *upstream)
    yield f"http://127.0.0.1:{free_port}/"
    stack.must(*words, "--stop")


def test_the_page_asks_for_the_key_and_tells_what_is_down(
    page: Any, locked: str, tmp_path: Path
) -> None:
    page.open(locked)
    page.until("document.getElementById('login').open")
    page.type("wrong")
    page.press("Enter")
    page.until(
        "document.getElementById('login').open && !document.getElementById('login-wrong').hidden"
    )
    page.picture(tmp_path / "login.png")
    page.type("secret")
    page.press("Enter")
    page.until("document.querySelector('#collections td:nth-child(4)')")
    assert "vLLM does not answer" in page.eval("document.getElementById('states').textContent")
    explain(page, PASSAGE)
    assert titles(page)
    page.picture(tmp_path / "down.png")


def test_a_proxy_that_is_gone_is_told_with_the_command(page: Any, stack: Any, url: str) -> None:
    page.open(url)
    page.send("Network.emulateNetworkConditions", offline=True, latency=0,
              downloadThroughput=0, uploadThroughput=0)  # fmt: skip
    page.type(PASSAGE)
    page.press("Enter", CTRL)
    page.until("!document.getElementById('problem').hidden")
    told = page.eval("document.getElementById('problem').textContent")
    assert told == "The proxy does not answer. Start it with: ./serve_rag_proxy.sh --detach"
