// The lists of the drawer: rows that open to their JSON, the newest first.

const KEPT = 200;

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A list. All rows since the last repaint are shown together. */
export class Rows {
  #list;
  #count;
  #seen = 0;
  /** @type {HTMLElement[]} */
  #waiting = [];

  /**
   * @param {Element} list
   * @param {Element} count shows how many rows there were since the list was cleared
   */
  constructor(list, count) {
    this.#list = list;
    this.#count = count;
  }

  /**
   * Adds a row above the others, or below those with a later `data-at`.
   * @param {HTMLElement} row
   */
  add(row) {
    this.#seen += 1;
    if (this.#waiting.length === 0) requestAnimationFrame(() => this.#paint());
    this.#waiting.push(row);
  }

  clear() {
    this.#seen = 0;
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#count.textContent = "0";
  }

  #paint() {
    for (const row of this.#waiting.slice(-KEPT)) {
      let below = this.#list.firstElementChild;
      while (below && below.dataset.at > row.dataset.at) below = below.nextElementSibling;
      this.#list.insertBefore(row, below);
    }
    this.#waiting = [];
    while (this.#list.childElementCount > KEPT) this.#list.lastElementChild.remove();
    this.#count.textContent = String(this.#seen);
  }
}

/**
 * A row that opens to its fields as JSON.
 * @param {string} style
 * @param {Element[]} summary the parts of the line
 * @param {Record<string, unknown>} fields
 * @param {Date} [at]
 */
export function row(style, summary, fields, at) {
  const line = made("li", style);
  const details = made("details");
  const head = made("summary");
  head.append(...summary, made("time", "", time.format(at)));
  details.append(head);
  // Most rows stay closed.
  const open = () => {
    const json = made("pre", "", JSON.stringify(fields, null, 2));
    // Long lines scroll, also by key.
    json.tabIndex = 0;
    details.append(json);
  };
  details.addEventListener("toggle", open, { once: true });
  line.append(details);
  return line;
}

/** @returns {HTMLElement} */
export function made(name, style = "", text = "") {
  const element = document.createElement(name);
  if (style) element.className = style;
  element.textContent = text;
  return element;
}
