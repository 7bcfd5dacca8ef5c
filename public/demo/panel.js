// The demo's panel: which tags of this page have run, which are held, and what lies in the browser.

const panel = document.getElementById("panel");
const labels = { necessary: "Necessary", performance: "Performance", functional: "Functional", targeting: "Targeting" };
let declared = [];
let last = "";

/** Builds an element from a tag name, a class and children. */
const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
};

/** The tags of the page in document order; several elements of one vendor are one tag. */
function tags() {
  const ran = new Set((window.__demo ?? []).map(({ name }) => name));
  const found = new Map();
  for (const element of document.querySelectorAll("[data-demo]")) {
    const { demo: name, category, src } = element.dataset;
    // A script stays as it is when another runs what it says.
    const held = element.type === "text/plain" ? !window.assent?.choice()[category] : src !== undefined && !element.getAttribute("src");
    const before = found.get(name);
    found.set(name, { name, category: category ?? before?.category, held: held || !!before?.held });
  }
  return [...found.values()].map((tag) => ({
    ...tag,
    state: ran.has(tag.name) ? (tag.held ? "until reload" : "ran") : tag.held ? "held" : "loading",
  }));
}

/** The states of a tag, said in full. */
const plain = { held: "held, not run", ran: "has run", "until reload": "ran, held after a reload", loading: "loading" };

/** The category under which the site's configuration declares an item; Assent's own need no declaration. */
const category = (kind, name) =>
  name.startsWith("assent-demo") ? "necessary" : declared.find((item) => item.kind === kind && item.pattern.test(name))?.category;

/** What the page can see in the browser. */
function items() {
  const cookies = document.cookie
    .split("; ")
    .filter(Boolean)
    .map((pair) => ["cookie", pair.split("=")[0]]);
  const local = Object.keys(localStorage).map((name) => ["local-storage", name]);
  const session = Object.keys(sessionStorage).map((name) => ["session-storage", name]);
  return [...cookies, ...local, ...session].map(([kind, name]) => ({ kind, name, category: category(kind, name) }));
}

const chip = (tag) => make("li", `chip ${tag.state.replace(" ", "-")}`, make("span", "dot"), tag.name, make("span", "state", tag.state));

const row = (first, group, third) =>
  make("tr", "", make("td", "", first), make("td", `cat ${group ?? ""}`, labels[group] ?? "not declared"), make("td", "", third));

const table = (caption, heads, rows) => {
  const head = make("tr", "", ...heads.map((text) => Object.assign(make("th", "", text), { scope: "col" })));
  return make("table", "", make("caption", "", caption), make("thead", "", head), make("tbody", "", ...rows));
};

/** The states of the tags, in a few words. */
function told(now) {
  const count = (state) => now.filter((tag) => tag.state === state).length;
  const [held, ran, left] = [count("held"), count("ran"), count("until reload")];
  if (held === now.length) return `All ${held} tags held, none has run`;
  if (left) return `${left} of ${now.length} tags ran before, held after a reload`;
  return `${ran} of ${now.length} tags have run${held ? `, ${held} held` : ""}`;
}

function draw() {
  const now = tags();
  const kept = items();
  const picture = JSON.stringify([now, kept]);
  if (picture === last) return;
  last = picture;
  const optional = kept.filter((item) => item.category !== "necessary").length;
  sum.textContent = `${told(now)} · ${optional || "no"} optional ${optional === 1 ? "item" : "items"} stored`;
  chips.replaceChildren(...now.map(chip));
  const kinds = { cookie: "cookie", "local-storage": "local storage", "session-storage": "session storage" };
  body.replaceChildren(
    table("Tags on this page", ["Tag", "Category", "State"], now.map((tag) => row(tag.name, tag.category, plain[tag.state]))),
    table("In your browser, for this site", ["Name", "Category", "Kind"], kept.map((item) => row(item.name, item.category, kinds[item.kind]))),
    make("p", "panel-note", "All vendors here are local stand-ins: they set the well-known cookies and send nothing to anybody."),
  );
}

const sum = make("span", "panel-sum");
const chips = make("ul", "chips");
const body = make("div", "panel-body");
body.tabIndex = 0;
body.setAttribute("role", "region");
body.setAttribute("aria-label", "Tags and stored items");
const details = make("details", "", make("summary", "panel-bar", make("strong", "", "Demo"), sum, chips), body);
panel.replaceChildren(details);

draw();
document.addEventListener("assent:change", () => setTimeout(draw));
setInterval(draw, 700);
fetch("site.json")
  .then((answer) => answer.json())
  .then((site) => {
    declared = site.services.flatMap((service) =>
      service.items.map((item) => ({
        kind: item.kind ?? "cookie",
        category: service.category,
        pattern: new RegExp(`^${item.name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`),
      })),
    );
    last = "";
    draw();
  });
