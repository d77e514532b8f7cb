// “Your keys”: one row for each vendor that has a key of this browser's owner, and a field to bring another.
// After elements.js. A key stands in the field until it is sent, and nowhere else: it goes out by one request
// (chat/api/keys.py) and never comes back. Whoever follows a link to `#keys` is led to the field.

const LONGEST = 20_000; // milliseconds: the server asks the vendor meanwhile
const AWAY = "That did not work: the server is away. Try again.";
// What only one vendor's keys begin with, so that a key goes to no other by mistake.
const BEGINS = {
  "sk-ant-": "anthropic", "sk-or-": "openrouter", "sk-proj-": "openai", "gsk_": "groq", "xai-": "xai", "hf_": "huggingface",
};
const over = matchMedia("(width <= 900px)"); // the sidebar lies over the page

const root = make("details", "keys");
const head = root.appendChild(make("summary", "", "Your keys"));
const whose = head.appendChild(make("span", "whose"));
const list = root.appendChild(make("ul"));
const vendor = root.appendChild(make("div", "vendor")).appendChild(make("select"));
vendor.setAttribute("aria-label", "Vendor");
const line = root.appendChild(make("div", "line"));
const field = line.appendChild(make("input"));
Object.assign(field, { type: "password", autocomplete: "off", spellcheck: false, maxLength: 500 });
field.setAttribute("data-1p-ignore", "");
field.setAttribute("data-lpignore", "true");
const save = line.appendChild(make("button", "", "Save"));
save.type = "button";
const note = root.appendChild(make("p", "note"));
note.setAttribute("role", "status");
root.append(make("p", "", "For your questions alone. Kept in the server’s memory, and forgotten an hour after you leave."));
root.hidden = true;

let vendors = [];
let wanted = null; // what a change of the keys makes of the chosen model

const call = async (method, path, body) => {
  const answer = await fetch(new URL(path, document.baseURI), {
    method,
    cache: "no-store",
    signal: AbortSignal.timeout(LONGEST),
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || AWAY);
  return told;
};
const sentence = (error) => (["TypeError", "TimeoutError"].includes(error.name) ? AWAY : error.message);

// -- drawing -------------------------------------------------------------------------------------------

const rowOf = ({ name, title, works }) => {
  const row = make("li");
  const forget = make("button", "", "Forget");
  forget.type = "button";
  forget.setAttribute("aria-label", `Forget the key for ${title}`);
  forget.addEventListener("click", () => drop(name, title, forget));
  row.append(make("span", "name", title), make("span", works ? "works" : "", works ? "works" : "kept"), forget);
  return row;
};
const draw = () => {
  const own = vendors.filter((each) => each.own);
  list.replaceChildren(...own.map(rowOf));
  show(list, own.length > 0);
  say(whose, own.map((each) => each.title).join(", "));
  const chosen = vendor.value;
  vendor.replaceChildren(...vendors.map(({ name, title }) => new Option(title, name)));
  vendor.value = vendors.some(({ name }) => name === chosen) ? chosen : (vendors.find((each) => !each.own) ?? vendors[0])?.name;
  name();
  show(root, vendors.length > 0);
};
const name = () => {
  const title = vendor.selectedOptions[0]?.textContent ?? "";
  field.placeholder = `Paste a key for ${title}`;
  field.setAttribute("aria-label", field.placeholder);
};
const hear = (text, good) => {
  say(note, text);
  note.classList.toggle("good", good === true);
};
const load = async () => {
  try {
    ({ vendors } = await call("GET", "keys"));
    draw();
  } catch {} // a section less; it is asked for again when somebody looks
};

// -- what a person does -----------------------------------------------------------------------------------

// The menu of models is another one now. Of the model chosen in it, `runnel.wanted` says what is to become.
const changed = (choose) => {
  wanted = choose;
  document.getElementById("refresh")?.click();
};
runnel.wanted = (chosen) => {
  const choose = wanted;
  wanted = null;
  return { keys: choose !== null, model: choose?.(chosen ?? "") ?? "" };
};

const bring = async () => {
  const key = field.value.trim();
  const { value } = vendor;
  if (!key || save.disabled) return void field.focus();
  field.value = "";
  save.disabled = true;
  hear(`Asking ${vendor.selectedOptions[0]?.textContent}…`);
  try {
    const told = await call("PUT", `keys/${value}`, { key });
    vendors = vendors.map((each) => (each.name === value ? { ...each, own: true, works: told.works } : each));
    vendor.selectedIndex = -1; // the next one, most likely
    draw();
    hear(told.sentence, told.works);
    changed((chosen) => (chosen.startsWith("demo:") && !told.model.endsWith(":") ? told.model : ""));
  } catch (error) {
    hear(sentence(error));
  } finally {
    save.disabled = false;
  }
};
const drop = async (value, title, button) => {
  button.disabled = true;
  try {
    const told = await call("DELETE", `keys/${value}`);
    vendors = vendors.map((each) => (each.name === value ? { ...each, own: false, works: null } : each));
    draw();
    hear(`The key for ${title} is forgotten.`);
    changed((chosen) => ([":", "-"].includes(chosen.replace(value, "")[0]) && chosen.startsWith(value) ? told.model : ""));
    head.focus();
  } catch (error) {
    button.disabled = false;
    hear(sentence(error));
  }
};

vendor.addEventListener("change", name);
field.addEventListener("input", () => {
  const known = Object.entries(BEGINS).find(([begins]) => field.value.trim().startsWith(begins))?.[1];
  if (!vendors.some((each) => each.name === known)) return;
  vendor.value = known;
  name();
});
save.addEventListener("click", bring);
field.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter") bring();
  else if (event.key === "Escape" && field.value) field.value = "";
  else return;
  event.preventDefault(); // Esc would stop the answer
});
root.addEventListener("toggle", () => root.open && load());
document.addEventListener("visibilitychange", () => root.open && !document.hidden && load());

// From the words of the empty page.
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href$="#keys"]');
  if (!link) return;
  event.preventDefault();
  const sidebar = document.getElementById("sidebar");
  if (!sidebar?.classList.contains("open")) sidebar?.querySelector(".toggle-button")?.click();
  root.open = true;
  root.scrollIntoView({ block: "nearest" });
  setTimeout(() => field.focus({ preventScroll: true }), over.matches ? 300 : 0);
}, true);

element.append(root);
load();
