// Lets a frame of an answer cost what it changes. Gradio's front end does three things at each frame that
// change nothing and that the browser does all the same (gradio_fixes, 23). Before Gradio's own scripts,
// which keep the functions that they find.
(() => {
  // `el.dir = el.dir`: the browser then looks at the style of all that is in the element.
  const dir = Object.getOwnPropertyDescriptor(HTMLElement.prototype, "dir");
  Object.defineProperty(HTMLElement.prototype, "dir", {
    ...dir,
    set(value) {
      if (dir.get.call(this) !== value) dir.set.call(this, value);
    },
  });

  // A copy of what cannot be changed is the thing itself.
  const clone = window.structuredClone;
  window.structuredClone = (value, ...options) =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value == null
      ? value
      : clone(value, ...options);

  // Each component is told its loading status, and for that asked all that it has: only where it is another.
  const entries = Object.entries;
  const status = (value) => typeof value === "object" && value !== null && "fn_index" in value && "stream_state" in value;
  const told = new Map();
  const same = (one, other) => {
    if (!one) return false;
    for (const key in other) if (!Object.is(one[key], other[key])) return false;
    return true;
  };
  Object.entries = (object) => {
    const all = entries(object);
    if (!all.length || !status(all[0][1])) return all;
    all.map = (tell) => {
      const others = [...all].filter(([id, value]) => !same(told.get(id), value));
      for (const [id, value] of others) told.set(id, { ...value });
      return others.map(tell);
    };
    return all;
  };
})();
