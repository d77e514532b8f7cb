"""Whether a request brings CHAT_TOKEN. Asked by `callers`, `door` and `cookie`."""

import hmac

from chat.settings import Secret


def bears(expected: Secret | None, authorization: str) -> bool:
    """Whether that header holds the token that makes a program the owner at this machine."""
    scheme, _, token = authorization.partition(" ")
    # Bytes: a header may hold what is not ASCII, which compare_digest refuses as text.
    return (
        expected is not None
        and scheme.lower() == "bearer"
        and hmac.compare_digest(token.strip().encode(), expected.value.encode())
    )
