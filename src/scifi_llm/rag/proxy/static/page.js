// The author's page: reads the form, asks the proxy, shows the answer. No requests but to the proxy.

import { element, explained, rows, searched, states } from "./view.js";

const REFRESH_MS = 15000;
const NUMBERS = { as_of: "As of chapter", top_k: "At most", budget_tokens: "Budget" };
const FIELDS = ["collection", "pov", ...Object.keys(NUMBERS)];
const $ = (id) => document.getElementById(id);
let running = null;

class Refused extends Error {}

async function ask(path, body, signal) {
  const key = sessionStorage.getItem("key");
  const headers = { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, body
      ? { method: "POST", headers, body: JSON.stringify(body), signal } : { headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The proxy does not answer. Start it with: ./serve_rag_proxy.sh --detach");
  }
  if (answer.status === 401) throw new Refused();
  const told = await answer.json().catch(() => null);
  if (!answer.ok || told === null) {
    throw new Error(told?.error?.message ?? `The proxy answered ${answer.status} to ${path}.`);
  }
  return told;
}

function login() {
  if ($("login").open) return;
  $("login-wrong").hidden = !sessionStorage.getItem("key");
  $("login").showModal();
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

// The request of the form, or null where a field is wrong; the first wrong one gets the focus.
function request() {
  const query = $("query").value.trim();
  if (!query) {
    problem("Write a question or a passage first.");
    $("query").focus();
    return null;
  }
  const body = { query };
  for (const name of FIELDS) {
    const field = $(name);
    if (!field.checkValidity()) {
      problem(`${NUMBERS[name]}: ${field.validationMessage}`);
      field.focus();
      return null;
    }
    const value = field.value.trim();
    if (value) body[name] = name in NUMBERS ? Number(value) : value;
  }
  return body;
}

async function run(mode) {
  const body = request();
  if (!body) return;
  running?.abort();
  const mine = (running = new AbortController());
  problem("");
  $("said").textContent = "Searching …";
  $("results").setAttribute("aria-busy", "true");
  try {
    const answer = await ask(`/rag/${mode}`, body, mine.signal);
    $("results").replaceChildren(...(mode === "explain" ? explained : searched)(answer, body.query));
    const found = (answer.passages ?? answer.results ?? []).length;
    $("said").textContent = `${found} ${found === 1 ? "passage" : "passages"} found.`;
  } catch (error) {
    if (error.name === "AbortError") return;
    $("results").replaceChildren();
    if (error instanceof Refused) login();
    else problem(error.message);
  } finally {
    if (running === mine) $("results").removeAttribute("aria-busy");
  }
}

async function refresh() {
  let health = null;
  try {
    health = await ask("/health");
    $("states").replaceChildren(...states(health));
    const { collections } = await ask("/rag/collections");
    $("collections").replaceChildren(...rows(collections, health.collection));
    choices(collections.map((entry) => entry.name), health.collection);
    return true;
  } catch (error) {
    if (error instanceof Refused) login();
    else if (!health) {
      const down = element("li", { class: "state", "data-state": "down" }, error.message);
      $("states").replaceChildren(down);
    }
    return false;
  }
}

function choices(names, current) {
  const chosen = $("collection").value;
  const known = [...$("collection").options].map((option) => option.value).join("\n");
  const wanted = ["", ...names];
  if (known === wanted.join("\n")) return;
  $("collection").replaceChildren(...wanted.map((name) =>
    element("option", { value: name }, name || `the proxy's (${current})`)));
  if (names.includes(chosen)) $("collection").value = chosen;
}

const passages = () => [...$("results").querySelectorAll("summary, .bare")].filter((e) => e.checkVisibility());

function step(by) {
  const all = passages();
  const at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function toggleAll() {
  const all = [...$("results").querySelectorAll("details.passage")];
  const open = !all.every((entry) => entry.open);
  for (const entry of all) entry.open = open;
}

const KEYS = {
  "/": () => $("query").focus(),
  j: () => step(1),
  k: () => step(-1),
  o: toggleAll,
  "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run(event.shiftKey ? "search" : "explain");
    return;
  }
  const typing = event.target.closest?.("input, textarea, select");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.submitter?.value === "search" ? "search" : "explain");
});
$("keys-button").addEventListener("click", KEYS["?"]);
$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  $("login").close();
  $("key").value = "";
  if ((await refresh()) && $("query").value.trim()) run("explain");
});

setInterval(() => document.visibilityState === "visible" && !$("login").open && refresh(), REFRESH_MS);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !$("login").open) refresh();
});
refresh();
