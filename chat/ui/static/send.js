// From Enter to the server: empties the box and shows the question, as `bubbles` will, before the server
// has heard of it. An empty question, or one while an answer is being written, goes no further: what is
// typed stays, and a promise that is never kept ends Gradio's chain here.
async (text, chat, ...values) => {
  if (!text.trim() || document.querySelector("#chat .now")) return new Promise(() => {});
  const message = (role, html) => ({
    role, metadata: null, options: null, content: [{ type: "text", text: html }],
  });
  const plain = text.replace(/[&<>"'$\\`\n\r]/g, (sign) =>
    sign === "\n" ? "<br>" : sign === "\r" ? "" : `&#${sign.charCodeAt(0)};`);
  const question = message("user", `<div class="asked">${plain}</div>`);
  const sending = message("assistant", '<div class="now sending">Sending</div>');
  return ["", { question: text, values }, [...(chat ?? []), question, sending]];
}
