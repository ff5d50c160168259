// The page: who reads, which timeline, its entries by sort index, and what the reader does.

import { api, useToken, Problem } from "/api.js";
import { ago, avatar, draw, make, said, setPresent } from "/entries.js";
import { explainInto } from "/explain.js";

const $ = (id) => document.getElementById(id);
const NAMES = { for_you: "For You", following: "Following", lists: "Lists", subscribed: "Subscribed" };

const state = {
  viewer: null,
  timeline: "for_you",
  list: null,
  entries: new Map(), // by entry id
  cursors: {}, // top and bottom
  actions: {},
  ends: new Set(),
  replyTo: null,
  loading: null,
};

// ---- Messages ----

function toast(words, label, act) {
  const element = make("div", { class: "toast" }, make("span", {}, words));
  if (label) element.append(make("button", { type: "button", class: "link", onclick: () => { element.remove(); act(); } }, label));
  $("toasts").append(element);
  setTimeout(() => element.remove(), label ? 10_000 : 5_000);
}

function banner(words, isBad = false) {
  $("banner").hidden = !words;
  $("banner").classList.toggle("bad", isBad);
  $("banner").textContent = words ?? "";
}

function complain(error) {
  if (error.name === "AbortError") return;
  console.warn(error);
  toast(error instanceof Problem ? error.message : "Something went wrong on this page.");
}

// ---- Entries ----

const bySortIndex = (a, b) => (BigInt(b.sort_index) > BigInt(a.sort_index) ? 1 : -1);

function add(entry, request) {
  const { content } = entry;
  if (content.type === "cursor" && content.kind !== "gap") {
    state.cursors[content.kind] = content.value;
    return;
  }
  if (content.type === "cursor") {
    // A gap takes the bottom cursor's place only while nothing older is there.
    if (!state.cursors.bottom) state.cursors.bottom = content.value;
  }
  state.entries.set(entry.entry_id, { ...entry, request });
}

// Carries out what a response says, in its order.
function carryOut(timeline) {
  Object.assign(state.actions, timeline.feedback_actions);
  for (const step of timeline.instructions) {
    switch (step.type) {
      case "clear_cache": state.entries.clear(); $("feed").replaceChildren(); break;
      case "navigation": if (step.start_at_top) window.scrollTo({ top: 0 }); break;
      case "replace_entry": replace(step.entry_id_to_replace, step.entry); break;
      case "add_entries": step.entries.forEach((entry) => add(entry, timeline.request_id)); break;
      case "terminate_timeline": state.ends.add(step.direction); break;
      case "show_alert": showPill(step.alert); break;
      case "show_cover": toast([step.cover.prompt.title, step.cover.prompt.body].filter(Boolean).join(" ")); break;
      default: break;
    }
  }
  const lacks = timeline.missing?.length ? `Some parts are missing: ${timeline.missing.join(", ")}.` : "";
  banner(timeline.is_fallback ? `Ranking is not available: these are the newest posts instead. ${lacks}` : lacks);
}

function replace(id, entry) {
  const old = state.entries.get(id);
  if (!old) return;
  state.entries.delete(id);
  const place = $("feed").querySelector(`[data-entry="${CSS.escape(id)}"]`);
  const shown = { ...entry, sort_index: old.sort_index };
  state.entries.set(entry.entry_id, shown);
  const fresh = draw(shown, state.actions, on);
  if (place && fresh) place.replaceWith(fresh);
}

// Puts what is not drawn yet into its place; what is drawn stays, with its focus and its open menus.
function render(isFresh) {
  const feed = $("feed");
  const sorted = [...state.entries.values()].sort(bySortIndex);
  const drawn = new Map([...feed.children].map((element) => [element.dataset.entry, element]));
  let previous = null;
  for (const entry of sorted) {
    let element = drawn.get(entry.entry_id);
    if (!element) {
      element = draw(entry, state.actions, on);
      if (!element) continue;
      if (isFresh) element.classList.add("fresh");
    }
    const next = previous ? previous.nextSibling : feed.firstChild;
    if (next !== element) feed.insertBefore(element, next);
    drawn.delete(entry.entry_id);
    previous = element;
  }
  drawn.forEach((element) => element.remove());
  const articles = [...feed.querySelectorAll("article")];
  articles.forEach((article, place) => {
    article.setAttribute("aria-posinset", place + 1);
    article.setAttribute("aria-setsize", state.ends.has("bottom") ? articles.length : -1);
  });
  const hasMore = Boolean(state.cursors.bottom) && !state.ends.has("bottom");
  $("more").hidden = !hasMore || articles.length === 0;
  $("end-note").textContent = hasMore && articles.length ? "" : articles.length ? "That is all there is." : "Nothing here yet.";
}

// ---- Loading ----

const path = () => (state.timeline === "lists" ? `lists/${state.list}` : state.timeline);

async function load(kind, cursor) {
  if (!state.viewer || (state.loading && kind !== "first")) return;
  if (state.timeline === "lists" && !state.list) {
    state.entries.clear();
    render();
    $("feed").setAttribute("aria-busy", "false");
    $("end-note").textContent = "This account reads no lists.";
    return;
  }
  state.loading?.abort();
  const own = new AbortController();
  state.loading = own;
  $("feed").setAttribute("aria-busy", "true");
  $("refresh").classList.add("busy");
  const contexts = { first: "launch", top: "manual_refresh", bottom: undefined, gap: "gap" };
  try {
    const timeline = await api.timeline(path(), { cursor, context: contexts[kind] }, own.signal);
    const before = state.entries.size;
    if (kind === "first") {
      state.entries.clear();
      state.cursors = {};
      state.ends.clear();
      $("feed").replaceChildren();
      $("pill").hidden = true;
    }
    // Going on from the bottom brings a top cursor of its own, which is older than the one that is known.
    const known = { ...state.cursors };
    carryOut(timeline);
    if (kind === "bottom" || kind === "gap") state.cursors.top = known.top ?? state.cursors.top;
    if ((kind === "top" || kind === "gap") && known.bottom) state.cursors.bottom = known.bottom;
    const posts = timeline.instructions.flatMap((step) => step.entries ?? []).filter((entry) => entry.content.type !== "cursor");
    if (kind === "bottom" && posts.length === 0) state.ends.add("bottom");
    if (kind === "top" && state.entries.size === before) toast("No new posts yet.");
    render(kind !== "first");
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 400 && cursor) {
      // A cursor that does not hold any more: begin again.
      state.loading = null;
      return load("first");
    }
    if (kind === "first") {
      $("feed").replaceChildren();
      state.entries.clear();
      render();
      $("end-note").textContent = "";
    }
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    banner(`${error.message}${wait}`, true);
  } finally {
    if (state.loading === own) {
      state.loading = null;
      $("feed").setAttribute("aria-busy", "false");
      $("refresh").classList.remove("busy");
    }
  }
}

function refresh() {
  $("pill").hidden = true;
  window.scrollTo({ top: 0 });
  return load(state.cursors.top ? "top" : "first", state.cursors.top);
}

let pillTimer;
function showPill(alert) {
  clearTimeout(pillTimer);
  pillTimer = setTimeout(() => {
    const words = { tweeted: "posted" }[alert.text] ?? alert.text;
    $("pill").replaceChildren(...(alert.users ?? []).map(avatar), make("span", {}, words));
    $("pill").hidden = false;
    if (alert.display_duration_ms > 0) setTimeout(() => { $("pill").hidden = true; }, alert.display_duration_ms);
  }, Math.max(0, alert.trigger_delay_ms));
}

// ---- What has been seen ----

const unseen = new Set();
const timers = new WeakMap();
const watcher = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    clearTimeout(timers.get(target));
    if (isIntersecting) {
      timers.set(target, setTimeout(() => { unseen.add(target.dataset.post); watcher.unobserve(target); }, 1000));
    }
  }
}, { threshold: 0.6 });

setInterval(() => {
  if (!state.viewer || unseen.size === 0) return;
  const posts = [...unseen].slice(0, 200);
  posts.forEach((id) => unseen.delete(id));
  api.seen(posts).catch(() => posts.forEach((id) => unseen.add(id)));
}, 3000);

// ---- What the reader does ----

const entryOf = (holder) => holder.closest("[data-entry]");

// Says what was done in the place of what it was done to; `undo` takes it back, and what was there stands there again.
function answerIn(holder, words, undo) {
  const place = holder.closest(".entry") ?? holder;
  const before = [...place.childNodes];
  const box = said(words, () => load("first"), async () => {
    try {
      await undo();
      place.replaceChildren(...before);
      place.focus({ preventScroll: true });
    } catch (error) {
      complain(error);
    }
  });
  place.replaceChildren(box);
  box.querySelector("button").focus({ preventScroll: true });
}

const on = {
  isViewer: (id) => id === state.viewer?.id,
  watch: (holder) => watcher.observe(holder),
  reply(item) {
    state.replyTo = item.post.id;
    $("reply-name").textContent = `Replying to ${item.post.author.name}. `;
    $("reply-to").hidden = false;
    $("compose-text").focus();
    window.scrollTo({ top: 0 });
  },
  async repost(item) {
    try {
      await api.post({ repost_of: item.post.id });
      toast("Reposted.");
    } catch (error) {
      complain(error);
      throw error;
    }
  },
  async like(item) {
    try {
      await api.engage(item.post.id, "favorite");
    } catch (error) {
      complain(error);
      throw error;
    }
  },
  explain(item, opener) {
    openExplanation(item, opener);
  },
  async feedback(holder, action) {
    try {
      await api.feedback(action.token);
      answerIn(holder, action.confirmation, () => api.feedback(action.token, true));
    } catch (error) {
      complain(error);
    }
  },
  async relate(holder, person, relation, holds, label) {
    try {
      await api.relate(relation, person.id, holds);
    } catch (error) {
      complain(error);
      throw error;
    }
    if (holder && holds && relation !== "follow") answerIn(holder, `Done: ${label}.`, () => api.relate(relation, person.id, false));
    else toast(`Done: ${label}.`, "See it act", () => load("first"));
  },
  async remove(holder) {
    try {
      await api.remove(holder.dataset.post);
      const entry = entryOf(holder);
      state.entries.delete(entry.dataset.entry);
      render();
    } catch (error) {
      complain(error);
    }
  },
  gap(entry) {
    state.entries.delete(entry.entry_id);
    load("gap", entry.content.value);
  },
};

$("compose-text").addEventListener("input", (event) => {
  event.target.form.querySelector("[type=submit]").disabled = !event.target.value.trim();
});
$("reply-off").addEventListener("click", () => { state.replyTo = null; $("reply-to").hidden = true; });
$("compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = $("compose-text");
  const post = { text: field.value, language: "en", ...(state.replyTo && { in_reply_to: state.replyTo }) };
  try {
    await api.post(post);
    field.value = "";
    field.dispatchEvent(new Event("input"));
    $("reply-off").click();
    toast("Posted.", "Look for it", refresh);
  } catch (error) {
    complain(error);
  }
});

// ---- The explanation ----

let opener = null;
async function openExplanation(item, from) {
  opener = from;
  $("explain").hidden = false;
  const body = $("explain-body");
  body.replaceChildren(make("p", { class: "note", role: "status" }, "Asking…"));
  $("explain-heading").focus({ preventScroll: true });
  try {
    const answer = await api.explain({ post: item.id, request: state.entries.get(entryOf(from)?.dataset.entry)?.request });
    explainInto(body, item, answer);
  } catch (error) {
    body.replaceChildren(make("p", { class: "banner bad" }, error.message));
  }
}

function closeExplanation() {
  $("explain").hidden = true;
  opener?.focus({ preventScroll: true });
}
$("explain-close").addEventListener("click", closeExplanation);

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
    banner(error.message, true);
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
