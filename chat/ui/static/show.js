// Shows a question as `bubbles` will, before the server has heard of it. After the request is on its way:
// drawing a long chat takes a while.
async (sent, chat) => {
  await new Promise((resolve) => setTimeout(resolve));
  const before = (chat ?? []).filter((message) => message.role === "user").length;
  const drawn = document.querySelectorAll("#chat .user-row").length > before;
  if (drawn || document.querySelector("#chat .now")) return { __type__: "update" }; // the server was faster
  const message = (role, html) => ({
    role, metadata: null, options: null, content: [{ type: "text", text: html }],
  });
  const plain = sent.question.replace(/[&<>"'$\\`\n\r]/g, (sign) =>
    sign === "\n" ? "<br>" : sign === "\r" ? "" : `&#${sign.charCodeAt(0)};`);
  const question = message("user", `<div class="asked">${plain}</div>`);
  const sending = message("assistant", '<div class="now sending">Sending</div>');
  return [[...(chat ?? []), question, sending]]; // an array is a list of outputs, also where there is one
}
