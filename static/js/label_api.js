// Calls to the API with the session of the page.

const PATIENCE_MS = 20000;

// The token changes when somebody logs in again in another window: the cookie has the newest one.
function csrfToken() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  return cookie ? cookie[1] : document.querySelector("[name=csrfmiddlewaretoken]").value;
}

// GET without a body, POST with one.
export function call(url, body) {
  const options = { credentials: "same-origin", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body) {
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    Object.assign(options.headers, { "Content-Type": "application/json", "X-CSRFToken": csrfToken() });
  }
  return fetch(url, options);
}
