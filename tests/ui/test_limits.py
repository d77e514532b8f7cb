"""The page refuses like every other door: a plain line, by the person and by where they are."""

from tests.ui.test_sessions import QUESTION, Page, opened


async def said(page: Page, owner: str, key: str) -> str:
    await page.join(owner, key)
    return await page.read(owner)


async def test_a_question_too_many_is_a_plain_line_and_asks_nobody() -> None:
    async with opened(CHAT_RATE="1/hour") as page:
        assert "complete" in await said(page, "me", "first")
        refused = await said(page, "me", "second")
        assert "You may ask 1 question an hour here. Ask again in 60 minutes." in refused
        assert "failed remark" in refused  # by this the page's script puts the question back into the box
        assert "unexpected_error" not in refused
        assert len(await page.app.store.chats("me")) == 1


async def test_another_cookie_is_no_other_person() -> None:
    async with opened(CHAT_RATE="1/hour") as page:
        assert QUESTION in await said(page, "me", "first")
        refused = await said(page, "other", "first")
        assert "From your network 1 question an hour may be asked here." in refused
        assert await page.app.store.chats("other") == []
