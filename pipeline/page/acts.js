// What the reader does: what has been seen, feedback, writing, and asking why.

import { api } from "/api.js";
import { make, said } from "/entries.js";
import { explainInto } from "/explain.js";
import { fill, load, refresh, render, state } from "/feed.js";
import { $, complain, reason, toast } from "/messages.js";

// ---- Seen ----

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

// ---- Done ----

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

export const acts = {
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
  gap: fill,
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

// ---- Asked ----

let opener = null;
let asking = null;
async function openExplanation(item, from) {
  opener = from;
  // The answer to an earlier question must not come over this one's.
  asking?.abort();
  const own = new AbortController();
  asking = own;
  $("explain").hidden = false;
  const body = $("explain-body");
  body.replaceChildren(make("p", { class: "note", role: "status" }, "Asking…"));
  $("explain-heading").focus({ preventScroll: true });
  try {
    const answer = await api.explain({ post: item.id, request: state.entries.get(entryOf(from)?.dataset.entry)?.request }, own.signal);
    explainInto(body, item, answer);
  } catch (error) {
    if (error.name === "AbortError") return;
    const again = make("button", { type: "button", class: "link", onclick: () => openExplanation(item, from) }, "Try again");
    body.replaceChildren(make("p", { class: "banner bad", role: "status" }, reason(error), " ", again));
  }
}

export function closeExplanation() {
  asking?.abort();
  $("explain").hidden = true;
  opener?.focus({ preventScroll: true });
}
$("explain-close").addEventListener("click", closeExplanation);

