// Draws entries. Nothing here talks to the service: what a reader does is handed to `on`.
//
// Text comes from strangers: it is only ever set as text, never as HTML.

const PATHS = {
  reply: "M21 12a8 8 0 0 1-8 8H4l1.8-3.2A8 8 0 1 1 21 12z",
  repost: "M4 9l4-4 4 4M8 5v10a2 2 0 0 0 2 2h4M20 15l-4 4-4-4M16 19V9a2 2 0 0 0-2-2h-4",
  like: "M12 20s-7.5-4.6-9-9.2C1.9 7.2 4.3 4.5 7.3 4.5c2 0 3.6 1.1 4.7 2.8 1.1-1.7 2.7-2.8 4.7-2.8 3 0 5.4 2.7 4.3 6.3C19.500 15.400 12 20 12 20z",
  explain: "M5 20v-7M12 20V4M19 20v-11",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  check: "M12 2.500l2.500 2 3.200-.2 1 3 2.600 1.900-1 3.000 1 3.000-2.600 1.900-1 3-3.200-.2-2.500 2-2.500-2-3.200.2-1-3-2.600-1.900 1-3-1-3 2.600-1.900 1-3 3.200.2zM8.500 12.200l2.500 2.500 4.700-5",
  follow: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c.6-4 3.400-6.500 7-6.500s6.400 2.500 7 6.500M19 8v6M22 11h-6",
  topic: "M21 12a8 8 0 0 1-8 8H4l1.800-3.200A8 8 0 1 1 21 12zM9 12h6",
  sparkle: "M12 3l2.200 6.800L21 12l-6.800 2.200L12 21l-2.200-6.800L3 12l6.800-2.200z",
  list: "M5 5h14v14H5zM9 9h6M9 13h6",
  location: "M12 21s7-6.200 7-11a7 7 0 1 0-14 0c0 4.800 7 11 7 11zM12 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  bell: "M6 16V11a6 6 0 1 1 12 0v5l2 2H4zM10 21h4",
  up_arrow: "M12 20V5M5 12l7-7 7 7",
};
PATHS.conversation = PATHS.reply;

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.sparkle);
  svg.append(path);
  return svg;
}

const hue = (id) => Number(BigInt(id) * 47n % 360n);

export function avatar(person) {
  const letters = (person.name || person.screen_name || "?").split(/\s+/).map((word) => [...word][0]).slice(0, 2);
  const element = make("div", { class: "avatar", "aria-hidden": "true" }, letters.join("").toUpperCase());
  element.style.setProperty("--hue", hue(person.id));
  return element;
}

export const count = (number) => (number
  ? new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number) : "");

// The world has a present of its own; the service says how far it is from this machine's.
let ahead = 0;
export function setPresent(ms) {
  ahead = ms - Date.now();
}

export function ago(ms) {
  const seconds = Math.max(0, Math.round((Date.now() + ahead - ms) / 1000));
  for (const [span, unit] of [[86400, "d"], [3600, "h"], [60, "m"]]) {
    if (seconds >= span) return `${Math.floor(seconds / span)}${unit}`;
  }
  return `${seconds}s`;
}

function name(person, ...more) {
  return make("div", { class: "name" },
    make("b", {}, person.name || `@${person.screen_name}`),
    person.is_verified && make("span", { class: "check", title: "Verified" }, icon("check"), make("span", { class: "hidden" }, "Verified")),
    make("span", { class: "soft" }, `@${person.screen_name || person.id}`), ...more);
}

// Hashtags are coloured; everything stays text.
function text(body) {
  const parts = body.split(/(#[\p{L}\p{N}_]+)/u);
  return make("p", { class: "text" }, ...parts.map((part, place) => (place % 2 ? make("span", { class: "tag" }, part) : part)));
}

function media(post) {
  const { photos = 0, video_ms: video } = post.media ?? {};
  const labels = video ? [`▶ Video, ${Math.ceil(video / 1000)} s`] : Array.from({ length: Math.min(photos, 4) }, (_, place) => `Photo ${place + 1}`);
  if (!labels.length) return null;
  const tiles = labels.map((label, place) => {
    const tile = make("div", {}, label);
    tile.style.setProperty("--hue", (hue(post.id) + 70 * place) % 360);
    return tile;
  });
  const box = make("div", { class: "media", role: "group", "aria-label": labels.length > 1 ? `${labels.length} photos` : labels[0] }, ...tiles);
  if (post.is_sensitive) {
    box.classList.add("covered");
    const uncover = make("button", { type: "button", class: "plain" }, "Sensitive media: show");
    uncover.addEventListener("click", () => { box.classList.remove("covered"); uncover.remove(); });
    box.append(uncover);
  }
  return box;
}

function view(post, own) {
  return [
    own,
    post.in_reply_to && make("p", { class: "answers" }, "Replying to a post"),
    text(post.text),
    media(post),
  ];
}

function quote(post) {
  return make("div", { class: "quote", "aria-label": "Quoted post", role: "group" },
    ...view(post, name(post.author, make("span", { class: "soft" }, `· ${ago(post.created_at_ms)}`))));
}

function button(kind, label, number, act) {
  const face = make("span", { class: "number" }, count(number));
  const element = make("button", { type: "button", class: kind, title: label, "aria-label": number ? `${label}, ${number}` : label }, icon(kind), face);
  element.addEventListener("click", (event) => { event.stopPropagation(); act(element, face); });
  return element;
}

// Pressed at once, and taken back when the service refuses.
function press(element, face, number, act) {
  if (element.getAttribute("aria-pressed") === "true") return;
  element.setAttribute("aria-pressed", "true");
  face.textContent = count(number + 1);
  act().catch(() => {
    element.setAttribute("aria-pressed", "false");
    face.textContent = count(number);
  });
}

// What a reader can say about an entry, first what the service offers, then what is always possible.
function openMenu(holder, opener, feedback, person, actions, on) {
  const open = holder.querySelector(".menu");
  if (open) return closeMenu(holder, opener);
  const keys = feedback.flatMap((key) => [key, ...(actions[key]?.children ?? [])]);
  const offered = keys.map((key) => actions[key]).filter(Boolean);
  const choices = offered.map((action) => make("button", { type: "button", role: "menuitem", "data-kind": action.kind,
    class: ["block", "report"].includes(action.kind) ? "bad" : "",
    onclick: () => { closeMenu(holder, opener); on.feedback(holder, action); } }, action.prompt));
  const has = (kind) => offered.some((action) => action.kind === kind);
  if (person && !on.isViewer(person.id)) {
    const relations = [
      person.is_followed ? ["unfollow", "follow", false, `Unfollow @${person.screen_name}`] : ["follow", "follow", true, `Follow @${person.screen_name}`],
      ["mute", "mute", true, `Mute @${person.screen_name}`],
      ["block", "block", true, `Block @${person.screen_name}`],
    ];
    for (const [kind, relation, holds, label] of relations) {
      if (has(kind)) continue;
      choices.push(make("button", { type: "button", role: "menuitem", "data-kind": kind, class: kind === "block" ? "bad" : "",
        onclick: () => { closeMenu(holder, opener); on.relate(holder, person, relation, holds, label); } }, label));
    }
  } else if (person) {
    choices.push(make("button", { type: "button", role: "menuitem", class: "bad", "data-kind": "delete",
      onclick: () => { closeMenu(holder, opener); on.remove(holder); } }, "Delete"));
  }
  const menu = make("div", { class: "menu", role: "menu", "aria-label": "What to do about this" }, ...choices);
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
    } else if (event.key === "Escape") {
      opener.focus();
      closeMenu(holder, opener);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget) && event.relatedTarget !== opener) closeMenu(holder, opener);
  });
  holder.append(menu);
  opener.setAttribute("aria-expanded", "true");
  menu.querySelector("button")?.focus();
}

function closeMenu(holder, opener) {
  const menu = holder.querySelector(".menu");
  if (!menu) return;
  // Removing it moves the focus, which asks to close it: by then it is no menu any more.
  menu.className = "";
  menu.remove();
  opener.setAttribute("aria-expanded", "false");
}

function menuButton(holder, feedback, person, actions, on) {
  const opener = make("button", { type: "button", class: "more-menu", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More", title: "More" }, icon("more"));
  opener.addEventListener("click", (event) => {
    event.stopPropagation();
    openMenu(holder, opener, feedback ?? [], person, actions, on);
  });
  return opener;
}

function context(item) {
  const { social_context: why, reposted_by: by } = item;
  if (by) return make("div", { class: "context" }, icon("repost"), `${by.name || by.screen_name} reposted`);
  return why && make("div", { class: "context" }, icon(why.icon), why.text);
}

function post(item, actions, on, { ad, line, preview } = {}) {
  const shown = item.post;
  const person = shown.author;
  const holder = make("div", { class: "item", "data-post": item.id, "data-author": person.id, "data-reposter": item.reposted_by?.id });
  const numbers = shown.counts ?? {};
  const id = `post-${shown.id}-${Math.random().toString(36).slice(2, 8)}`;
  const badges = ad
    ? [make("span", { class: "ad-label" }, ad.disclosure || "Ad")]
    : [make("span", { class: "soft" }, "· ", make("time", { datetime: new Date(shown.created_at_ms).toISOString(), title: new Date(shown.created_at_ms).toLocaleString() }, ago(shown.created_at_ms)))];
  holder.append(make("div", { class: "post", id },
    context(item),
    make("div", { class: "rail" }, avatar(person), line && make("span", { class: "line", "aria-hidden": "true" })),
    make("div", { class: "body" },
      ...view(shown, name(person, ...badges)).filter(Boolean),
      item.quoted && quote(item.quoted),
      preview && make("p", { class: "note" }, "The rest is for subscribers. ", make("button", { type: "button", class: "link", onclick: () => on.relate(holder, person, "subscribe", true, `Subscribe to @${person.screen_name}`) }, "Subscribe")),
      make("div", { class: "actions", role: "group", "aria-label": "Actions" },
        button("reply", "Reply", numbers.replies, () => on.reply(item)),
        button("repost", "Repost", numbers.reposts, (element, face) => press(element, face, numbers.reposts ?? 0, () => on.repost(item))),
        button("like", "Like", numbers.favorites, (element, face) => press(element, face, numbers.favorites ?? 0, () => on.like(item))),
        !ad && button("explain", "Why this post?", 0, (element) => on.explain(item, element))))),
    menuButton(holder, item.feedback, person, actions, on));
  on.watch(holder, item.id);
  return holder;
}

function person(content, holder, on) {
  const { user, social_context: why } = content;
  const follow = make("button", { type: "button", class: "plain" }, "Follow");
  follow.addEventListener("click", () => {
    follow.disabled = true;
    on.relate(null, user, "follow", true, `Follow @${user.screen_name}`)
      .then(() => { follow.textContent = "Following"; })
      .catch(() => { follow.disabled = false; });
  });
  follow.setAttribute("aria-label", `Follow ${user.name || user.screen_name}`);
  return make("div", { class: "person" }, avatar(user),
    make("div", { class: "words" }, make("b", {}, user.name), make("span", {}, why ? why.text : `@${user.screen_name}`)), follow);
}

function module(content, actions, on) {
  const isConversation = content.display === "vertical_conversation";
  const holder = make("div", { class: isConversation ? "module conversation" : "module item" });
  if (content.header) holder.append(make("h3", {}, content.header));
  content.items.forEach((entry, place) => {
    const inner = entry.content;
    const line = isConversation && place + 1 < content.items.length;
    holder.append(inner.type === "user" ? person(inner, holder, on) : post(inner, actions, on, { line }));
  });
  if (!isConversation && content.feedback?.length) holder.append(menuButton(holder, content.feedback, null, actions, on));
  return holder;
}

function prompt(content, actions, on) {
  const holder = make("div", { class: "prompt item" }, make("h3", {}, content.title), content.body && make("p", {}, content.body));
  if (content.feedback?.length) holder.append(menuButton(holder, content.feedback, null, actions, on));
  return holder;
}

// One entry of the list, or null for what is not drawn.
export function draw(entry, actions, on) {
  const { content } = entry;
  const label = (item) => `${item.post.author.name || item.post.author.screen_name}: ${item.post.text.slice(0, 120)}`;
  const article = (words, ...children) => make("article", { class: "entry", "data-entry": entry.entry_id, tabindex: "0", "aria-label": words }, ...children);
  switch (content.type) {
    case "post": return article(label(content), post(content, actions, on));
    case "preview": return article(`Preview. ${label(content)}`, post(content, actions, on, { preview: true }));
    case "ad": return article(`Ad. ${label(content.post)}`, post(content.post, actions, on, { ad: content }));
    case "module": return article(content.header || `Conversation of ${content.items.length} posts`, module(content, actions, on));
    case "prompt": return article(content.title, prompt(content, actions, on));
    case "cursor":
      return content.kind === "gap"
        ? make("div", { class: "entry", "data-entry": entry.entry_id }, make("button", { type: "button", class: "gap", onclick: () => on.gap(entry) }, "Show the posts between"))
        : null;
    default: return null;
  }
}

// What stands in place of something the reader spoke about.
export function said(words, again, undo) {
  const button = (name, act) => make("button", { type: "button", class: "plain", onclick: act }, name);
  return make("div", { class: "said" }, make("p", { role: "status" }, words), button("See it act", again), button("Undo", undo));
}
