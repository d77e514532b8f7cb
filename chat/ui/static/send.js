// From Enter to the server: takes the question out of the box. An empty one, or one while an answer is
// being written, goes no further: what is typed stays, and a promise that is never kept ends Gradio's
// chain here.
async (text, ...values) => {
  if (!text.trim() || document.querySelector("#chat .now")) return new Promise(() => {});
  const sent = await runnel.pack({ question: text, values }); // never, where something is too long
  return ["", sent];
}
