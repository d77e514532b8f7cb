"""Given how a vendor words its refusal, this many tokens fit and this many were sent."""

import pytest

from chat.providers.lengths import lengths


@pytest.mark.parametrize(
    ("text", "limit", "sent"),
    [
        # OpenAI, Azure, DeepSeek and those who copy the words
        ("This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 "
         "tokens. Please reduce the length of the messages.", 8192, 9000),
        ("This model's maximum context length is 4097 tokens. However, you requested 4120 tokens (3120"
         " in the messages, 1000 in the completion). Please reduce the length of the messages or "
         "completion.", 4097, 3120),
        ("This model's maximum context length is 4097 tokens, however you requested 4231 tokens (3975 "
         "in your prompt; 256 for the completion). Please reduce your prompt; or completion length.",
         4097, 3975),
        ("This model's maximum context length is 300000 tokens. However, your messages resulted in "
         "350564 tokens (100 in the messages, 350464 in the functions).", 300_000, 350_564),
        ("Your input exceeds the context window of this model. Please adjust your input and try again.",
         None, None),
        ("Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, "
         "Requested 342389. The input or output tokens must be reduced in order to run successfully.",
         30_000, 342_389),
        # Anthropic
        ("prompt is too long: 210000 tokens > 200000 maximum", 200_000, 210_000),
        ("input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input "
         "length or `max_tokens` and try again", 200_000, 188_240),
        ("Input is too long for requested model.", None, None),
        # others in the cloud
        ("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
         1_048_575, 1_196_265),
        ("The input token count exceeds the maximum number of tokens allowed (1048576).", 1_048_576, None),
        ("This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
         131_072, 537_812),
        ("Request too large for model `llama` in organization `org_01` service tier `on_demand` on "
         "tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and "
         "try again.", 6000, 12_328),
        ("Please reduce the length of the messages or completion.", None, None),
        ("Please reduce the length of the messages or completion. Current length is 10240 while limit "
         "is 8192", 8192, 10_240),
        ("Prompt contains 40960 tokens and 0 draft tokens, too large for model with 32768 maximum "
         "context length", 32_768, 40_960),
        ("Invalid request: Your request exceeded model token limit: 8192 (requested: 9001)", 8192, 9001),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 "
         "`inputs` tokens and 512 `max_new_tokens`", 4097, 5000),
        ("Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", 4096, 5000),
        ("The prompt is too long: 140000, model maximum context length: 131071", 131_071, 140_000),
        ("too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000",
         4081, 5000),
        ("This endpoint's maximum context length is 200,000 tokens. However, you requested about "
         "2,500,021 tokens (2500021 of text input). Please reduce the length of either one.",
         200_000, 2_500_021),
        ("This endpoint's maximum context length is 40960 tokens. However, you requested about 74101 "
         "tokens (6000 of text input, 4101 of tool input, 64000 in the output).", 40_960, 10_101),
        ("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
         30_720, None),
        # on one's own machine
        ("This model's maximum context length is 4096 tokens and your request has 2104 input tokens "
         "(2000 > 4096 - 2104).", 4096, 2104),
        ("This model's maximum context length is 128000 tokens. However, you requested 64000 output "
         "tokens and your prompt contains at least 64001 input tokens, for a total of at least 128001 "
         "tokens.", 128_000, 64_001),
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096, 5000),
        ("Requested token count exceeds the model's maximum context length of 4096 tokens. You "
         "requested a total of 5000 tokens: 4000 tokens from the input messages and 1000 tokens for "
         "the completion.", 4096, 4000),
        ("request (20001 tokens) exceeds the available context size (8192 tokens), try increasing it",
         8192, 20_001),
        ("Requested tokens (2285) exceed context window of 2048", 2048, 2285),
        ("Trying to keep the first 111490 tokens when context the overflows. However, the model is "
         "loaded with context length of only 32768 tokens, which is not enough.", 32_768, 111_490),
        ("the input length exceeds the context length", None, None),
        ("prompt too long; exceeded max context length by 400 tokens", None, None),
        # what counts something else
        ("Invalid 'messages[1].content': string too long. Expected a string with maximum length "
         "1048576, but got a string with length 4000000 instead.", None, None),
        ("Request exceeds the maximum size of 33554432 bytes", None, None),
        ("maximum context length is 8", None, None),
        ("", None, None),
    ],
)  # fmt: skip
def test_what_a_refusal_tells(text: str, limit: int | None, sent: int | None) -> None:
    assert lengths(text) == (limit, sent)


def test_a_text_made_to_break_a_reader() -> None:
    assert lengths("context length is " + "9" * 5000)[0] == 999_999_999_999
    assert lengths("context " * 20_000) == (None, None)
    assert lengths("context length " + "tokens " * 20_000) == (None, None)
