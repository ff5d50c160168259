// What the page says to its reader: a line above the timeline, and words that go away by themselves.

import { Problem } from "/api.js";
import { make } from "/entries.js";

export const $ = (id) => document.getElementById(id);

export function toast(words, label, act) {
  const element = make("div", { class: "toast" }, make("span", {}, words));
  if (label) element.append(make("button", { type: "button", class: "link", onclick: () => { element.remove(); act(); } }, label));
  $("toasts").append(element);
  setTimeout(() => element.remove(), label ? 10_000 : 5_000);
}

export function banner(words, isBad = false, again = null) {
  const box = $("banner");
  box.hidden = !words;
  box.classList.toggle("bad", isBad);
  box.replaceChildren(words ?? "");
  if (words && again) box.append(" ", make("button", { type: "button", class: "link", onclick: again }, "Try again"));
}

// What went wrong, and when it is worth trying again.
export function reason(error) {
  if (!(error instanceof Problem)) return "Something went wrong on this page.";
  const words = error.message.charAt(0).toUpperCase() + error.message.slice(1).replace(/\.?$/, ".");
  return error.retryAfter ? `${words} Try again in ${error.retryAfter} s.` : words;
}

export function complain(error) {
  if (error.name === "AbortError") return;
  console.warn(error);
  toast(reason(error));
}
