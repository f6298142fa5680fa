// The switch between light and dark: <form data-theme-form> with a button data-theme-set="dark".
// The form works without a script; with it the page changes at once and the choice is sent in the background.

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-theme-form]");
  if (!form) return;
  event.preventDefault();
  const root = document.documentElement;
  const isDark = root.dataset.theme === "dark"
    || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  const body = new FormData(form);
  body.set("theme", isDark ? "light" : "dark");
  root.dataset.theme = body.get("theme");
  fetch(form.action, { method: "POST", body, redirect: "manual", keepalive: true }).catch(() => {});
});
