// Talks to the service. Every answer that is no success becomes a Problem with the service's own words.

export class Problem extends Error {
  constructor(status, code, message, retryAfter, requestId) {
    super(message);
    Object.assign(this, { status, code, retryAfter, requestId });
  }
}

let token = "";

export function useToken(text) {
  token = text;
}

async function ask(method, path, body, signal) {
  const headers = { "x-maskrank-page": "1" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The service does not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { code = "unknown", message = response.statusText } = answer.error ?? {};
  const retryAfter = Number(response.headers.get("retry-after")) || undefined;
  throw new Problem(response.status, code, message, retryAfter, response.headers.get("x-request-id"));
}

const query = (parameters) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

export const api = {
  viewers: () => ask("GET", "/demo/viewers"),
  token: (viewer) => ask("POST", `/demo/tokens/${viewer}`),
  viewer: () => ask("GET", "/v1/viewer"),
  timeline: (path, parameters, signal) => ask("GET", `/v1/timelines/${path}${query(parameters)}`, undefined, signal),
  explain: (parameters, signal) => ask("GET", `/v1/explain${query(parameters)}`, undefined, signal),
  post: (post) => ask("POST", "/v1/posts", post),
  engage: (post, kind) => ask("POST", "/v1/engagements", { engagements: [{ post, kind }] }),
  feedback: (action, undo = false) => ask("POST", "/v1/feedback", { action, undo }),
  remove: (post) => ask("DELETE", `/v1/posts/${post}`),
  seen: (posts) => ask("POST", "/v1/impressions", { posts }),
  relate: (relation, target, holds) => ask("POST", "/v1/relationships", { relation, target, holds }),
};
