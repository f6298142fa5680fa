// Controls without a name for screen readers, pictures without a text, ids that are given twice.
() => {
  const isField = (node) => node.matches("input:not([type=submit], [type=button]), select, textarea");
  const named = (node) => node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") || node.title
    || (isField(node) ? node.labels.length > 0 : node.textContent.trim() || node.value);
  const controls = [...document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea, summary")]
    .filter((node) => node.checkVisibility() && !named(node));
  const pictures = [...document.querySelectorAll("svg:not([aria-hidden])")].filter((node) => !node.getAttribute("aria-label"));
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
  return [...controls, ...pictures].map((node) => node.outerHTML.slice(0, 120)).concat(twice.map((id) => `twice: ${id}`));
}
