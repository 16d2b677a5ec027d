// Colours for code: words of the language, texts, names of tags and attributes, and remarks.

const WORDS =
  "and|as|async|await|catch|const|def|else|export|for|from|function|if|import|in|let|new|None|not|null|or|return|throw|True|False|true|false|try|with";
const RUBY_WORDS = "class|def|end|private|raise|require|unless";
const TEXT = String.raw`"(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.)*'`;
const RULES = {
  python: new RegExp(`(?<remark>#.*)|(?<text>${TEXT})|(?<name>@[\\w.]+)|(?<word>\\b(?:${WORDS})\\b)`, "g"),
  javascript: new RegExp(
    `(?<remark>//.*)|(?<text>${TEXT}|\`[^\`]*\`)|(?<name></?[A-Z]\\w*|/>)|(?<word>\\b(?:${WORDS})\\b)`,
    "g",
  ),
  ruby: new RegExp(
    `(?<remark>#(?!\\{).*)|(?<text>${TEXT})|(?<name>\\b[A-Z]\\w*|\\b\\w+:(?!:))|(?<word>\\b(?:${RUBY_WORDS})\\b)`,
    "g",
  ),
  html: /(?<remark><!--.*?-->)|(?<text>"[^"]*")|(?<word><\/?[\w-]+|>)|(?<name>\b[\w-]+(?=[=\s>]))/g,
  shell: /(?<remark>(?<=^|\s)#.*)|(?<text>'(?:[^']|'\\'')*')|(?<word>^curl\b)|(?<name>(?<=\s)-{1,2}\w+)/gm,
};

/**
 * Shows the text with colours.
 * @param {Element} code
 * @param {string} text
 * @param {string} language a key of `RULES`
 */
export function highlight(code, text, language) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(RULES[language])) {
    const [kind, part] = Object.entries(found.groups).find(([, matched]) => matched !== undefined);
    const shown = document.createElement("span");
    shown.className = kind;
    shown.textContent = part;
    parts.push(text.slice(end, found.index), shown);
    end = found.index + part.length;
  }
  code.replaceChildren(...parts, text.slice(end));
}
