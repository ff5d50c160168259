// The page: who reads, which timeline, and the keys.

import { acts, closeExplanation } from "/acts.js";
import { api, useToken } from "/api.js";
import { ago, avatar, make, setPresent } from "/entries.js";
import { load, onActs, refresh, state } from "/feed.js";
import { $, banner, complain, reason } from "/messages.js";

const NAMES = { for_you: "For You", following: "Following", lists: "Lists", subscribed: "Subscribed" };

onActs(acts);

// ---- Keys ----

function move(step) {
  const articles = [...$("feed").querySelectorAll("article")];
  const at = articles.findIndex((article) => article.contains(document.activeElement));
  const next = articles[Math.min(articles.length - 1, Math.max(0, at + step))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

const press = (selector) => document.activeElement?.closest("article")?.querySelector(selector)?.click();

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("explain").hidden) return closeExplanation();
  const isTyping = event.target.closest("input, textarea, select");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { j: () => move(1), k: () => move(-1), l: () => press(".like"), e: () => press(".explain"), m: () => press(".more-menu"), ".": refresh }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// ---- Timelines and viewers ----

function choose(timeline) {
  state.timeline = timeline;
  for (const tab of $("tabs").children) {
    if (tab.dataset.timeline === timeline) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  $("heading").textContent = NAMES[timeline];
  document.title = `${NAMES[timeline]} · maskrank`;
  $("list-choice").hidden = timeline !== "lists" || !state.viewer?.lists.length;
  banner("");
  return load("first");
}

$("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[data-timeline]");
  if (tab) {
    window.scrollTo({ top: 0 });
    choose(tab.dataset.timeline);
  }
});
$("list").addEventListener("change", (event) => { state.list = event.target.value; choose("lists"); });
$("refresh").addEventListener("click", refresh);
$("pill").addEventListener("click", refresh);
$("more").addEventListener("click", () => load("bottom", state.cursors.bottom));
new IntersectionObserver(([{ isIntersecting }]) => {
  if (isIntersecting && !$("more").hidden) load("bottom", state.cursors.bottom);
}, { rootMargin: "600px" }).observe($("more"));

async function become(token) {
  useToken(token);
  try {
    state.viewer = await api.viewer();
  } catch (error) {
    banner(reason(error), true, () => become(token));
    return;
  }
  setPresent(state.viewer.now_ms);
  state.actions = {};
  $("own-avatar").replaceWith(Object.assign(avatar(state.viewer), { id: "own-avatar" }));
  $("who-note").textContent = `Follows ${state.viewer.following} accounts`;
  $("list").replaceChildren(...state.viewer.lists.map((list) => make("option", { value: list.id }, `${list.name} (${list.members})`)));
  state.list = state.viewer.lists[0]?.id ?? null;
  await choose(state.timeline);
}

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  become($("token").value.trim());
});
$("viewer").addEventListener("change", async (event) => {
  try {
    const { token } = await api.token(event.target.value);
    history.replaceState(null, "", `#${event.target.value}`);
    await become(token);
  } catch (error) {
    complain(error);
  }
});

async function start() {
  try {
    const { viewers } = await api.viewers();
    const asked = location.hash.slice(1);
    $("viewer").replaceChildren(...viewers.map((viewer) => make("option", { value: viewer.id }, `${viewer.name} (@${viewer.screen_name})`)));
    if (asked && !viewers.some((viewer) => viewer.id === asked)) $("viewer").prepend(make("option", { value: asked }, `Account ${asked}`));
    $("viewer").hidden = false;
    $("viewer").value = asked || viewers[0]?.id;
    $("viewer").dispatchEvent(new Event("change"));
  } catch (error) {
    // No tokens are handed out here: the reader brings one.
    document.querySelector(".who label").htmlFor = "token";
    $("token-row").hidden = false;
    $("who-note").textContent = "maskrank-timeline token --viewer ID";
    $("end-note").textContent = "Give a token to begin.";
    $("feed").setAttribute("aria-busy", "false");
  }
}

setInterval(() => {
  for (const time of document.querySelectorAll("time")) time.textContent = ago(Date.parse(time.dateTime));
}, 30_000);

start();
