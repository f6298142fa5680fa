// An element with properties and children: made("p", { className: "quiet" }, "text"). Text stays text, never markup.

export function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// One turn of a dialogue; the list that it goes into has the names of who speaks.
export function madeTurn(turn, list) {
  const role = JSON.parse(list.dataset.roles)[turn.role] ?? turn.role;
  const line = made("li", { className: "turn" }, made("span", { className: "role", textContent: role }), made("p", { textContent: turn.content }));
  line.dataset.role = turn.role;
  return line;
}
