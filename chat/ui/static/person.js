// “Signed in as ada · Sign out · Sign out everywhere”, asked for once. Without the ways out where a proxy has
// signed somebody in, and nothing at all for visitors whom nobody knows. Signing out takes the other tabs of the
// browser along: what they show is not for whoever sits there next.
const address = (path) => new URL(path, document.baseURI);
const line = element.appendChild(document.createElement("p")); // from the start, so that nothing moves later
const tabs = new BroadcastChannel("runnel-signed-out");

const leave = () => {
  // After draft.js has kept what is typed, for a reload.
  addEventListener("pagehide", () => sessionStorage.removeItem("runnel-draft"));
  addEventListener("pageshow", () => location.reload()); // the browser had kept the page, for its Back
  location.replace(address(".")); // where people log in, that leads to the login page
};
const signOut = async (button, path) => {
  button.disabled = true;
  try {
    const answer = await fetch(address(path), { method: "POST", cache: "no-store", redirect: "manual" });
    if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(answer.status);
    tabs.postMessage("");
    leave();
  } catch {
    button.disabled = false;
    dispatchEvent(new CustomEvent("runnel-say", { detail: { text: "That did not work. Try again." } }));
  }
};
const wayOut = (text, path) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => signOut(button, path));
  line.append(" · ", button);
};
const draw = ({ name, leaves, operator }) => {
  if (operator) line.append("You are the owner here");
  else if (name) {
    const who = document.createElement("bdi");
    who.textContent = name;
    line.append("Signed in as ", who);
  } else return void line.remove();
  if (leaves) wayOut("Sign out", "logout");
  if (leaves || operator) wayOut("Sign out everywhere", "logout/everywhere");
};

tabs.addEventListener("message", leave);
fetch(address("login/me"), { cache: "no-store" })
  .then((answer) => (answer.ok ? answer.json() : {}))
  .then(draw)
  .catch(() => {}); // a line less
