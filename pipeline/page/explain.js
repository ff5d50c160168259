// Draws why a post is, or is not, where it is: what became of it, its sources, what the model expects, the factors of its
// score, and every step that saw it.

import { make } from "/entries.js";

// Why a source was not asked, by the gate that was closed.
const GATES = {
  not_enough_cached: "was not asked: enough of its posts are at hand from moments ago",
  away: "was not asked: you were here lately",
  follows_somebody: "was not asked: you follow nobody",
};

const words = (name) => String(name ?? "").replaceAll("_", " ");
const percent = (share) => (share >= 0.0995 ? `${(100 * share).toFixed(0)} %` : `${(100 * share).toPrecision(2)} %`);
const number = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 1e-3 || value === 0 ? Number(value).toPrecision(4) : Number(value).toExponential(2));

function section(title, ...children) {
  return make("section", {}, make("h3", {}, title), ...children);
}

// A bar with its number beside it, drawn in proportion to `share`.
function bar(label, text, share, isNegative) {
  const fill = make("i");
  fill.style.setProperty("--share", Math.min(1, Math.max(0, share)));
  return make("li", {},
    make("div", { class: "row" }, make("span", {}, label), make("span", {}, text)),
    make("div", { class: isNegative ? "track negative" : "track", "aria-hidden": "true" }, fill));
}

function verdict(outcome) {
  switch (outcome.fate) {
    case "served": return `It stands at place ${outcome.position + 1} of the posts.`;
    case "removed": return `It was removed by ${words(outcome.component)}: ${words(outcome.rule)}.`;
    case "not_found": return "No source found it for you.";
    case "unknown": return "There is no such post.";
    default: return `There was no timeline: ${outcome.why}`;
  }
}

function source(row) {
  const said = {
    found: `found it, ${row.place + 1} of ${row.of}`,
    passed_over: row.why,
    not_asked: GATES[row.gate] ?? `was not asked: ${words(row.gate)}`,
    failed: "failed",
  }[row.answer];
  return make("li", {}, make("span", { class: row.answer === "found" ? "kept" : "" }, words(row.source)), make("span", { class: "note" }, said ?? ""));
}

function step(row) {
  const rank = row.removed_by ? words(row.removed_by) : row.stage.includes("filter") || row.stage.includes("selector") ? `${row.place + 1} of ${row.of}` : "";
  return make("li", {}, make("span", { class: row.removed_by ? "removed" : "kept" }, words(row.component)), make("span", { class: "note" }, rank));
}

const NEGATIVE = new Set(["negative_feedback", "report"]);

function scored(scoring) {
  if (!scoring) return [];
  const probabilities = Object.entries(scoring.probabilities).sort(([, a], [, b]) => b - a);
  const highest = Math.max(1, ...scoring.factors.map((factor) => factor.value));
  return [
    section("Score", make("dl", { class: "facts" },
      make("dt", {}, "Came from"), make("dd", {}, words(scoring.source)),
      make("dt", {}, "Light ranker"), make("dd", {}, number(scoring.light_score)),
      make("dt", {}, "Weighted sum"), make("dd", {}, number(scoring.model_score)),
      make("dt", {}, "Final score"), make("dd", {}, number(scoring.score)))),
    section("What the model expects of you", make("ul", { class: "bars probabilities" },
      ...probabilities.map(([task, share]) => bar(words(task), percent(share), share, NEGATIVE.has(task))))),
    section("What the sum was multiplied with", scoring.factors.length
      ? make("ul", { class: "bars factors" }, ...scoring.factors.map(({ name, value }) => bar(words(name), `× ${number(value)}`, value / highest)))
      : make("p", { class: "note" }, "Nothing.")),
  ];
}

function features(families) {
  const told = families.map(({ family, values }) => [family, values.filter(([, value]) => value !== 0)]).filter(([, values]) => values.length);
  if (!told.length) return [];
  return [section("What the model was told", ...told.map(([family, values]) => make("details", {},
    make("summary", {}, `${words(family)} (${values.length})`),
    make("dl", { class: "facts" }, ...values.slice(0, 200).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, number(value))])))))];
}

export function explainInto(body, item, answer) {
  body.replaceChildren(...[
    make("p", { class: "excerpt" }, item.post.text.slice(0, 240)),
    make("p", { class: "verdict", role: "status" }, verdict(answer.outcome)),
    !answer.is_replay && make("p", { class: "note" }, "As if you had asked now: the request itself is not on record any more."),
    ...scored(answer.scoring),
    section("Sources", make("ul", { class: "steps" }, ...answer.sources.map(source))),
    section("What it went through", make("ol", { class: "steps" }, ...answer.steps.map(step))),
    ...features(answer.features),
  ].filter(Boolean));
}
