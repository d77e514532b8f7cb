"""The table of vendors: who serves models, how they are spoken to, where, and with which key.

Data only. To add a vendor, add a line. `build` turns a line into a provider when it can be
used (its key is set, or it answers on this machine), and adds lines for `CHAT_ENDPOINTS`.
"""

from dataclasses import dataclass
from typing import Literal

Speaks = Literal["openai_responses", "openai_chat", "anthropic_messages", "demo"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """`key` names the environment variable; empty: none is needed.

    `protocols` are the files that can speak to it, the default first.
    `max_tokens` is the name under which Chat Completions takes the output limit.
    `open_list`: everybody may read its list of models, so that a list says nothing of a key.
    `brought`: the key is the asker's own. `speaks`: the one of `protocols` that a provider asks in.
    """

    name: str
    title: str
    protocols: tuple[Speaks, ...]
    url: str
    key: str = ""
    url_variable: str = ""
    local: bool = False
    max_tokens: str = "max_tokens"
    max_temperature: float = 2.0
    open_list: bool = False
    brought: bool = False
    speaks: Speaks | None = None


_CHAT: tuple[Speaks, ...] = ("openai_chat",)

VENDORS: tuple[Vendor, ...] = (
    Vendor("demo", "Demo", ("demo",), ""),
    Vendor(
        "openai",
        "OpenAI",
        ("openai_responses", "openai_chat"),
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        max_tokens="max_completion_tokens",
    ),
    Vendor(
        "anthropic",
        "Anthropic",
        ("anthropic_messages",),
        "https://api.anthropic.com",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        max_temperature=1.0,
    ),
    Vendor(
        "openrouter",
        "OpenRouter",
        _CHAT,
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        open_list=True,
    ),
    Vendor("groq", "Groq", _CHAT, "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    Vendor("deepseek", "DeepSeek", _CHAT, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    Vendor("mistral", "Mistral", _CHAT, "https://api.mistral.ai/v1", "MISTRAL_API_KEY", max_temperature=1.5),
    Vendor("xai", "xAI", ("openai_chat", "openai_responses"), "https://api.x.ai/v1", "XAI_API_KEY"),
    Vendor("together", "Together", _CHAT, "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    Vendor(
        "huggingface",
        "Hugging Face",
        _CHAT,
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        open_list=True,
    ),
    Vendor("ollama", "Ollama", _CHAT, "http://127.0.0.1:11434/v1", url_variable="OLLAMA_HOST", local=True),
    Vendor("lmstudio", "LM Studio", _CHAT, "http://127.0.0.1:1234/v1", local=True),
    Vendor("llamacpp", "llama.cpp", _CHAT, "http://127.0.0.1:8080/v1", local=True),
    Vendor("vllm", "vLLM", _CHAT, "http://127.0.0.1:8000/v1", local=True),
)
