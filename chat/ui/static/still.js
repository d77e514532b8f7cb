// Lets an idle page be idle. Gradio's status trackers, which style.css hides, count the time in each frame,
// and the one of the page's loading goes on for ever (gradio_fixes, 18). Here no tracker's count is drawn.
// Runs before Gradio's own scripts, which keep the function that they find.
(() => {
  const draw = requestAnimationFrame.bind(window);
  const COUNT = /performance\.now\(\)\s*-[^;]*\/\s*1e3/; // seconds since something began
  window.requestAnimationFrame = (work) => (COUNT.test(Function.prototype.toString.call(work)) ? 0 : draw(work));
})();
