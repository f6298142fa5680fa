// An element with properties and children: made("p", { className: "quiet" }, "text"). Text stays text, never markup.

export function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
