"""How a database came to be what it is: numbered steps forward, each run once, all in one transaction.

A step that was published is never changed: add the next one, and change `tables` to fit. There is no
way back; a database that is newer than the program is refused (`schema`).
"""

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
)
"""By schema version, from 1."""
