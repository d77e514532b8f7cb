// “Signed in as ada · Sign out”, asked for once. Without the second half where a proxy has signed somebody in,
// and nothing at all for the owner at this machine. Signing out takes the other tabs of the browser along:
// what they show is not for whoever sits there next.
const address = (path) => new URL(path, document.baseURI);
const line = element.appendChild(document.createElement("p")); // from the start, so that nothing moves later
const tabs = new BroadcastChannel("runnel-signed-out");

const leave = () => {
  // After draft.js has kept what is typed, for a reload.
  addEventListener("pagehide", () => sessionStorage.removeItem("runnel-draft"));
  addEventListener("pageshow", () => location.reload()); // the browser had kept the page, for its Back
  location.replace(address("login"));
};
const signOut = async (button) => {
  button.disabled = true;
  try {
    const answer = await fetch(address("logout"), { method: "POST", cache: "no-store", redirect: "manual" });
    if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(answer.status);
    tabs.postMessage("");
    leave();
  } catch {
    button.disabled = false;
    dispatchEvent(new CustomEvent("runnel-say", { detail: { text: "That did not work. Try again." } }));
  }
};
const draw = ({ name, leaves }) => {
  if (!name) return void line.remove();
  const who = document.createElement("bdi");
  who.textContent = name;
  line.append("Signed in as ", who);
  if (leaves) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Sign out";
    button.addEventListener("click", () => signOut(button));
    line.append(" · ", button);
  }
};

tabs.addEventListener("message", leave);
fetch(address("login/me"), { cache: "no-store" })
  .then((answer) => (answer.ok ? answer.json() : {}))
  .then(draw)
  .catch(() => {}); // a line less
