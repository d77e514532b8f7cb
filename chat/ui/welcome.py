"""The empty page: what this is, what to try, and how to add a key when there is none.

Under an address that leads nowhere, that first. `handlers` shows it, static/place.js looks for `.nowhere`.
"""

from chat.build import App
from chat.providers import demo
from chat.ui.fates import plain

SENTENCE = (
    "Ask something, and watch the answer arrive: the words, the thinking behind them and the tools it uses."
)
DEMO = "You are talking to the built-in **demo**, a script that runs offline. To talk to a real model, paste "
NO_KEY = (
    f"{DEMO}a key into [Your keys](#keys) in the sidebar. To keep it, put it into the file `.env`, for "
    "instance `OPENAI_API_KEY=…`, and start again; `.env.example` names them all."
)
NO_KEY_OF_YOURS = (
    f"{DEMO}a key of your own into [Your keys](#keys) in the sidebar. It stays in this server’s memory, for "
    "your questions alone, and is forgotten an hour after you leave."
)

LOCAL = (
    "Or start a model on this machine, with Ollama, LM Studio, llama.cpp or vLLM (for instance `ollama run "
    "qwen3`): it appears in the menu by itself."
)

EXAMPLES = (
    (
        "Markdown, as it streams",
        "Show me a short Markdown tour: a heading, a table, a code block and a formula.",
    ),
    (
        "Thinking aloud",
        "A bicycle and a bell cost 110 together, and the bicycle costs 100 more than the bell. "
        "What does the bell cost?",
    ),
    ("Two tools at work", "What is 23 × 19 + 4, and what time is it in Tokyo?"),
    ("An answer with sources", "Search the documentation: what happens when a stream is cut off?"),
)


NOWHERE = "There is no such chat. Perhaps it was deleted, or {}. What you ask now begins a new one."
ELSEWHERE = "it was begun in another browser"
SOMEBODY_S = "it is somebody else’s"
"""Of those who sign in: their chats are in each of their browsers."""


def text(app: App, owner: str, *, nowhere: str = "") -> str:
    """Markdown for the empty chat. A welcome from the settings takes the sentence's place.

    `nowhere`: the id of the chat that was looked for, and is not there.
    """
    why = NOWHERE.format(SOMEBODY_S if app.settings.login else ELSEWHERE)
    parts = [f'<p class="nowhere of-{nowhere}">{why}</p>'] if nowhere else []
    parts += [app.settings.welcome or f"<h2>{plain(app.settings.title)}</h2>\n\n{SENTENCE}"]
    if app.catalogue.of(owner).keyless:
        parts.append(NO_KEY if app.settings.alone else NO_KEY_OF_YOURS)
        if app.settings.alone and app.settings.local:
            parts.append(LOCAL)
    return "\n\n".join(parts)


def examples(app: App) -> tuple[tuple[str, str], ...]:
    """Label and prompt."""
    if app.settings.examples:
        return tuple((prompt, prompt) for prompt in app.settings.examples)
    return tuple(demo.EXAMPLES) if app.catalogue.of("").keyless else EXAMPLES
