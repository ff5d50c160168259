// The timeline on the page: its entries by sort index, its cursors, and how more of it is loaded.

import { api } from "/api.js";
import { avatar, draw, make } from "/entries.js";
import { $, banner, complain, reason, toast } from "/messages.js";

export const state = {
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

// What the reader does with an entry; the page says what.
let on = {};
export function onActs(acts) {
  on = acts;
}

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

// Fills a gap: its own entry goes once what was missing is there.
export async function fill(gap) {
  const isFilled = await load("gap", gap.content.value);
  if (!isFilled) return;
  if (state.entries.get(gap.entry_id)?.content.value === gap.content.value) state.entries.delete(gap.entry_id);
  render();
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
export function render(isFresh) {
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
  $("more").textContent = "Show more";
  $("end-note").textContent = hasMore && articles.length ? "" : articles.length ? "That is all there is." : emptiness();
}

// Why a timeline may well be empty.
function emptiness() {
  if (state.timeline === "following" && state.viewer?.following === 0) return "This account follows nobody yet.";
  if (state.timeline === "subscribed" && state.viewer?.subscriptions === 0) return "This account subscribes to nobody yet.";
  if (state.timeline === "lists" && !state.list) return "This account reads no lists.";
  return "Nothing here yet.";
}

const path = () => (state.timeline === "lists" ? `lists/${state.list}` : state.timeline);

export async function load(kind, cursor) {
  if (!state.viewer || (state.loading && kind !== "first")) return;
  if (state.timeline === "lists" && !state.list) {
    state.loading?.abort();
    state.loading = null;
    state.entries.clear();
    state.cursors = {};
    render();
    $("feed").setAttribute("aria-busy", "false");
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
    return true;
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 400 && cursor) {
      // A cursor that does not hold any more: begin again.
      state.loading = null;
      return load("first");
    }
    // It is said where the reader looks: in place of the timeline, at its end, or over the page.
    if (kind === "first") {
      state.entries.clear();
      state.cursors = {};
      render();
      $("end-note").textContent = "";
      banner(reason(error), true, () => load("first"));
    } else if (kind === "bottom") {
      $("end-note").textContent = reason(error);
      $("more").textContent = "Try again";
    } else {
      complain(error);
    }
    return false;
  } finally {
    if (state.loading === own) {
      state.loading = null;
      $("feed").setAttribute("aria-busy", "false");
      $("refresh").classList.remove("busy");
    }
  }
}

export function refresh() {
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

