"""A model's name, and how it is shown."""

import pytest

from chat.models import shown


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("llamacpp:/models/Qwen2.5-7B-Q4_K_M.gguf", "llamacpp:Qwen2.5-7B-Q4_K_M"),
        ("llamacpp:Qwen2.5-7B-Q4_K_M.gguf", "llamacpp:Qwen2.5-7B-Q4_K_M"),
        ("llamacpp:./models/a.b.GGUF", "llamacpp:a.b"),
        ("llamacpp:../a.gguf", "llamacpp:a"),
        ("llamacpp:~/a.gguf", "llamacpp:a"),
        (r"llamacpp:C:\models\Small 2.gguf", "llamacpp:Small 2"),
        ("llamacpp:/m/Big-00001-of-00003.gguf", "llamacpp:Big"),
        ("vllm:/data/models/Qwen2.5-7B", "vllm:Qwen2.5-7B"),
        ("vllm:/data/models/Qwen2.5-7B/", "vllm:Qwen2.5-7B"),
        ("/models/Qwen2.5-7B.gguf", "Qwen2.5-7B"),
        ("maker/small.gguf", "small"),
        ("vllm:maker/Qwen2.5-7B", "vllm:maker/Qwen2.5-7B"),
        ("openrouter:maker/model:free", "openrouter:maker/model:free"),
        ("ollama:llama3:8b", "ollama:llama3:8b"),
        ("openai:gpt-4.1", "openai:gpt-4.1"),
        ("openai:ft:gpt-4o:me::1", "openai:ft:gpt-4o:me::1"),
        ("llamacpp:/", "llamacpp:/"),
        ("llamacpp:.gguf", "llamacpp:.gguf"),
        ("", ""),
    ],
)
def test_a_file_is_shown_by_its_own_name(name: str, label: str) -> None:
    assert shown(name) == label
