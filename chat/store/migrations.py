"""How a database came to be what it is: numbered steps forward, each run once, all in one transaction.

A step that was published is never changed: add the next one, and change `tables` to fit. There is no
way back; a database that is newer than the program is refused (`schema`).
"""


def _counted(table: str, cost: str, whose: str, changes: str) -> tuple[str, ...]:
    """Triggers that keep `bytes` of the conversation `whose` right while rows of `table` come and go. `{}` in
    both stands for the row, old or new."""
    less, more = (
        f"UPDATE conversations SET bytes = bytes {sign} ({cost.format(row)}) "
        f"WHERE id = ({whose.format(row)});"
        for sign, row in (("-", "old"), ("+", "new"))
    )
    return (
        f"CREATE TRIGGER {table}_more AFTER INSERT ON {table} BEGIN {more} END",
        f"CREATE TRIGGER {table}_other AFTER UPDATE OF {changes} ON {table} BEGIN {less} {more} END",
        f"CREATE TRIGGER {table}_less AFTER DELETE ON {table} BEGIN {less} END",
    )


# About what a row takes on the disk. A text is there once more, in the index of its trigrams, which is three
# to eight times as long as itself.
_MESSAGE = "200 + 8 * length(CAST({0}.text AS BLOB)) + coalesce(length(CAST({0}.parts AS BLOB)), 0)"
_RUN = " + ".join(
    ["500", *(f"coalesce(length(CAST({{0}}.{name} AS BLOB)), 0)" for name in ("key", "options", "settings"))]
    + [f"coalesce(length(CAST({{0}}.{name} AS BLOB)), 0)" for name in ("failure", "usage", "model")]
)
_EVENT = "50 + length(CAST({0}.body AS BLOB))"

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE runnel (version INTEGER NOT NULL PRIMARY KEY)",
        """CREATE TABLE conversations (
            number INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
            title TEXT NOT NULL, named INTEGER NOT NULL, created FLOAT NOT NULL, updated FLOAT NOT NULL,
            deleted FLOAT, leaf TEXT, origin TEXT, origin_run TEXT, revision INTEGER NOT NULL)""",
        # With `deleted` before `updated`, a page of the list is read in its order, without sorting.
        "CREATE INDEX conversations_listed ON conversations (owner, deleted, updated)",
        "CREATE INDEX conversations_revision ON conversations (revision)",
        "CREATE INDEX conversations_origin ON conversations (origin) WHERE origin IS NOT NULL",
        "CREATE INDEX conversations_deleted ON conversations (deleted) WHERE deleted IS NOT NULL",
        """CREATE TABLE messages (
            number INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, conversation TEXT NOT NULL,
            parent TEXT, role TEXT NOT NULL, created FLOAT NOT NULL, text TEXT NOT NULL, parts TEXT)""",
        "CREATE INDEX messages_conversation ON messages (conversation)",
        "CREATE INDEX messages_parent ON messages (parent)",
        """CREATE TABLE runs (
            id TEXT NOT NULL PRIMARY KEY, conversation TEXT NOT NULL, owner TEXT NOT NULL,
            lease TEXT NOT NULL, state TEXT NOT NULL, key TEXT, replaces TEXT, continues INTEGER NOT NULL,
            started FLOAT NOT NULL, options TEXT NOT NULL, seconds FLOAT, first_text FLOAT, model TEXT,
            settings TEXT, stop TEXT, failure TEXT, usage TEXT, thumb INTEGER NOT NULL,
            stop_asked INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX runs_conversation ON runs (conversation)",
        "CREATE UNIQUE INDEX runs_key ON runs (owner, key) WHERE key IS NOT NULL",
        "CREATE INDEX runs_running ON runs (lease) WHERE state = 'running'",
        """CREATE TABLE events (
            run TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (run, seq)) WITHOUT ROWID""",
        """CREATE TABLE leases (
            id TEXT NOT NULL PRIMARY KEY, machine TEXT NOT NULL, locked INTEGER NOT NULL,
            heartbeat FLOAT NOT NULL)""",
        "CREATE TABLE currents (owner TEXT NOT NULL PRIMARY KEY, conversation TEXT NOT NULL)",
        # Its rows are those of `messages` by number, and the titles of `conversations` by minus number.
        "CREATE VIRTUAL TABLE search USING fts5 (text, tokenize = 'trigram')",
        """CREATE TRIGGER messages_gone AFTER DELETE ON messages
            BEGIN DELETE FROM search WHERE rowid = old.number; END""",
        """CREATE TRIGGER conversations_gone AFTER DELETE ON conversations
            BEGIN DELETE FROM search WHERE rowid = -old.number; END""",
    ),
    # For a purge, which asks who goes on from a message.
    ("CREATE INDEX conversations_leaf ON conversations (leaf)",),
    (
        """CREATE TABLE sign_outs (
            whose TEXT NOT NULL, sign_in TEXT NOT NULL, at FLOAT NOT NULL, until FLOAT NOT NULL,
            PRIMARY KEY (whose, sign_in))""",
    ),
    # How much room each conversation takes and each owner, kept right by the database itself. And when a
    # conversation was opened last; those that may expire, by when they were last asked in.
    (
        "ALTER TABLE conversations ADD COLUMN bytes INTEGER NOT NULL DEFAULT 1000",
        "ALTER TABLE conversations ADD COLUMN opened FLOAT NOT NULL DEFAULT 0",
        f"""UPDATE conversations SET bytes = bytes
            + (SELECT coalesce(sum({_MESSAGE.format("messages")}), 0) FROM messages
                WHERE conversation = conversations.id)
            + (SELECT coalesce(sum({_RUN.format("runs")}), 0) FROM runs WHERE conversation = conversations.id)
            + (SELECT coalesce(sum({_EVENT.format("events")}), 0) FROM events
                WHERE run IN (SELECT id FROM runs WHERE conversation = conversations.id))""",
        """CREATE TABLE owners (
            owner TEXT NOT NULL PRIMARY KEY, chats INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID""",
        "INSERT INTO owners SELECT owner, count(*), sum(bytes) FROM conversations GROUP BY owner",
        """CREATE INDEX conversations_expiring ON conversations (updated)
            WHERE owner != 'local' AND substr(owner, 1, 7) != 'person-'""",
        """CREATE TRIGGER conversations_more AFTER INSERT ON conversations BEGIN
            INSERT INTO owners SELECT new.owner, 0, 0
                WHERE NOT EXISTS (SELECT 1 FROM owners WHERE owner = new.owner);
            UPDATE owners SET chats = chats + 1, bytes = bytes + new.bytes WHERE owner = new.owner; END""",
        """CREATE TRIGGER conversations_other AFTER UPDATE OF bytes ON conversations
            WHEN old.owner = new.owner BEGIN
            UPDATE owners SET bytes = bytes - old.bytes + new.bytes WHERE owner = new.owner; END""",
        """CREATE TRIGGER conversations_given AFTER UPDATE OF owner ON conversations
            WHEN old.owner != new.owner BEGIN
            UPDATE owners SET chats = chats - 1, bytes = bytes - old.bytes WHERE owner = old.owner;
            DELETE FROM owners WHERE owner = old.owner AND chats = 0;
            INSERT INTO owners SELECT new.owner, 0, 0
                WHERE NOT EXISTS (SELECT 1 FROM owners WHERE owner = new.owner);
            UPDATE owners SET chats = chats + 1, bytes = bytes + new.bytes WHERE owner = new.owner; END""",
        """CREATE TRIGGER conversations_less AFTER DELETE ON conversations BEGIN
            UPDATE owners SET chats = chats - 1, bytes = bytes - old.bytes WHERE owner = old.owner;
            DELETE FROM owners WHERE owner = old.owner AND chats = 0; END""",
        *_counted("messages", _MESSAGE, "{0}.conversation", "text, parts, conversation"),
        *_counted(
            "runs",
            # What happened in a run moves along with it.
            f"{_RUN} + (SELECT coalesce(sum({_EVENT.format('events')}), 0) FROM events WHERE run = {{0}}.id)",
            "{0}.conversation",
            "conversation, key, options, settings, failure, usage, model",
        ),
        *_counted("events", _EVENT, "SELECT conversation FROM runs WHERE id = {0}.run", "body"),
    ),
)
"""By schema version, from 1."""
