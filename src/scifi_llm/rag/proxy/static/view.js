// From answers of the proxy to elements. Text of notes goes in as text nodes only: a note may hold
// HTML, and it is shown, not obeyed.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const count = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

export function ago(iso, now = Date.now()) {
  const seconds = Math.round((now - Date.parse(iso)) / 1000);
  if (Number.isNaN(seconds)) return String(iso ?? "");
  const steps = [[60, "second"], [60, "minute"], [24, "hour"], [Infinity, "day"]];
  let value = Math.max(0, seconds);
  for (const [size, unit] of steps) {
    if (value < size) return `${count(value, unit, `${unit}s`)} ago`;
    value = Math.floor(value / size);
  }
  return "";
}

const COMMON = new Set(
  ("about after also been before between could does each ever every from have having here into " +
    "just like made make many more most much must never once only other over same should since " +
    "some such than that their them then there these they this those through under until very " +
    "were what when where which while will with would your").split(" "));

// The words of a question that are worth marking in what it found.
export function words(query, passage) {
  const named = Object.values(passage.routes ?? {}).filter((value) => typeof value === "string");
  const long = (query.match(/[\p{L}\p{N}'’-]{4,}/gu) ?? []).slice(0, 200);
  const all = [...named, ...long].map((word) => word.toLowerCase());
  return [...new Set(all)].filter((word) => !COMMON.has(word));
}

// Where a closed passage is looked into: from the line of its first marked word on.
export function preview(text, wanted) {
  const plain = text.replace(/^#+ .*$/gm, "").replace(/[*_]{2,}|\[\[|\]\]/g, "").replace(/\s+/g, " ").trim();
  const low = plain.toLowerCase();
  const at = Math.min(...wanted.map((word) => low.indexOf(word)).filter((i) => i >= 0), plain.length);
  const start = at >= plain.length || at < 120 ? 0 : plain.lastIndexOf(" ", at - 60) + 1;
  return (start ? "… " : "") + plain.slice(start, start + 400);
}

export function marked(text, wanted) {
  const kept = wanted.filter(Boolean).sort((a, b) => b.length - a.length);
  if (!kept.length) return [text];
  const escaped = kept.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
  return text.split(pattern).map((part, i) => (i % 2 ? element("mark", {}, part) : part));
}

function routes(passage) {
  return Object.entries(passage.routes ?? {})
    .filter(([, value]) => value !== false && value !== null)
    .map(([route, value]) => {
      const told = typeof value === "number" ? Number(value.toPrecision(3)) : value;
      return element("span", { class: "chip" }, value === true ? route : `${route} ${told}`);
    });
}

export function passage(entry, query, kind) {
  const wanted = words(query, entry);
  const chips = routes(entry);
  if (!chips.length && entry.why) chips.push(element("span", { class: "chip" }, entry.why));
  const numbers = [
    entry.tokens === undefined ? null : count(entry.tokens, "token", "tokens"),
    typeof entry.score === "number" && kind !== "always" ? `score ${entry.score.toFixed(3)}` : null,
  ].filter(Boolean);
  const head = element("span", { class: "head" },
    element("span", { class: "title" }, entry.heading || entry.path),
    element("span", { class: "score" }, numbers.join(" · ")));
  const why = element("span", { class: "why", title: entry.why },
    element("span", { class: "path" }, entry.path), ...chips,
    entry.reason ? element("span", { class: "reason" }, `left out: ${entry.reason}`) : null);
  if (!entry.text) {
    return element("div", { class: "passage", "data-kind": kind },
      element("div", { class: "bare", tabindex: "0" }, head, why));
  }
  return element("details", { class: "passage", "data-kind": kind },
    element("summary", {}, head, why, element("span", { class: "preview", "aria-hidden": "true" },
      ...marked(preview(entry.text, wanted), wanted))),
    element("div", { class: "text" }, ...marked(entry.text, wanted)));
}

function group(title, hint, entries, query, kind, nothing) {
  if (!entries.length && !nothing) return null;
  return element("section", { class: "group" },
    element("h2", {}, title, element("span", { class: "hint" }, hint)),
    ...(entries.length
      ? entries.map((entry) => passage(entry, query, kind))
      : [element("p", { class: "nothing" }, nothing)]));
}

const FEW = 5;

// What was found and not sent: the nearest misses, and the rest on demand.
function leftOut(entries, query) {
  const near = group("Found and left out", count(entries.length, "passage", "passages"),
    entries.slice(0, FEW), query, "dropped");
  const rest = entries.slice(FEW);
  if (near && rest.length) {
    near.append(element("details", { class: "rest" },
      element("summary", {}, element("span", { class: "title" }, `${rest.length} more`)),
      ...rest.map((entry) => passage(entry, query, "dropped"))));
  }
  return near;
}

const NOTHING =
  "Nothing of the canon fits under these filters. A later chapter, no name under Known by, or a " +
  "larger budget shows more.";

function budget(told) {
  const exact = told.counter === "tokenizer" ? "counted by the model's tokenizer" : "estimated";
  const always = told.always_used
    ? element("span", { class: "faint" }, `+ ${told.always_used.toLocaleString("en")} always`)
    : null;
  const label = `${told.used.toLocaleString("en")} of ${count(told.tokens, "token", "tokens")}`;
  return element("div", { class: "budget" },
    element("p", {}, element("span", {}, label), always, element("span", { class: "faint" }, exact)),
    element("progress", {
      class: "meter", max: Math.max(told.tokens, 1), value: Math.min(told.used, told.tokens),
      "aria-label": "Budget used",
    }));
}

function content(message) {
  if (typeof message.content === "string") return message.content;
  return JSON.stringify(message.content, null, 2);
}

function messages(list) {
  return element("section", { class: "group" },
    element("h2", {}, "What the model would read"),
    element("details", { class: "passage" },
      element("summary", {}, element("span", { class: "head" },
        element("span", { class: "title" }, count(list.length, "message", "messages")))),
      ...list.map((message) => element("div", { class: "message" },
        element("h3", {}, message.role), element("pre", { tabindex: "0" }, content(message))))));
}

export function explained(answer, query) {
  const { always = [], passages = [], dropped = [] } = answer;
  const searched = answer.query && answer.query.trim() !== query.trim()
    ? element("p", { class: "hint" }, `Searched for: ${answer.query}`) : null;
  const degraded = answer.status === "degraded"
    ? element("p", { class: "problem" }, `A chat would go on without this canon: ${answer.reason}`) : null;
  return [
    degraded,
    answer.budget ? budget(answer.budget) : null, searched,
    group("Always sent", count(always.length, "passage", "passages"), always, query, "always"),
    group("Sent", "best first", passages, query, "sent", NOTHING),
    answer.messages?.length ? messages(answer.messages) : null,
    leftOut(dropped, query),
  ].filter(Boolean);
}

export function searched(answer, query) {
  const found = answer.results ?? [];
  return [group("Found", count(found.length, "passage", "passages"), found, query, "sent", NOTHING)];
}

function state(kind, name, value, title) {
  return element("li", { class: "state", "data-state": kind, title }, element("b", {}, name), ` ${value}`);
}

export function states(health) {
  const upstream = health.upstream ?? {};
  const up = upstream.status === "ok";
  const served = (upstream.models ?? []).join(", ");
  return [
    state("ok", "Proxy", "answers", null),
    state(up ? "ok" : "down", "vLLM", up ? served || "answers" : "does not answer; start it: ./serve_vllm.sh", upstream.url),
    state(health.chunks ? "ok" : "down", health.collection ?? "No collection",
      health.chunks ? `made ${ago(health.updated)}` : "holds nothing: RAG/2_embed_and_store.py", health.updated),
  ];
}

export function rows(collections, current) {
  if (!collections.length) {
    return [element("tr", {}, element("td", { colspan: "5" }, "None yet: RAG/2_embed_and_store.py"))];
  }
  return collections.map((entry) => element("tr", { "aria-current": entry.name === current ? "true" : null },
    element("td", {}, entry.name),
    element("td", { class: "number" }, entry.files.toLocaleString("en")),
    element("td", { class: "number" }, entry.chunks.toLocaleString("en")),
    element("td", {}, `${entry.model} (${entry.dimension})`),
    element("td", {}, element("time", { datetime: entry.created, title: entry.created }, ago(entry.created)))));
}
