// Chats by the day of their last question. After elements.js, before chats.js.

const GROUPS = ["Today", "Yesterday", "Previous 7 days", "Older"];

const makeGroups = () => GROUPS.map((title) => {
  const group = make("div", "group");
  group.append(make("h3", "", title));
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", title);
  group.hidden = true;
  return [group, group.appendChild(make("ul"))];
});

const midnight = (days) => {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - days) / 1000;
};
const groupOf = (chat, edges) => edges.findIndex((edge) => chat.updated >= edge);

// Puts the node of each chat into the list of its group, in the order of `chats`, and takes out what is not
// among them. What stands where it should is not touched, so that it keeps what a person does in it.
const arrange = (groups, chats, nodeOf) => {
  const edges = [midnight(0), midnight(1), midnight(7), -Infinity];
  groups.forEach(([group, list], n) => {
    const nodes = chats.filter((chat) => groupOf(chat, edges) === n).map(nodeOf);
    const kept = new Set(nodes);
    for (const node of [...list.children]) if (!kept.has(node)) node.remove();
    let next = list.firstChild;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else list.insertBefore(node, next);
    }
    show(group, nodes.length > 0);
  });
};
