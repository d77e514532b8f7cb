"""The tables, as the newest schema has them. `migrations` makes them and changes them; nothing else does.

Ids are the program's own, unguessable texts. Where a text is long or has a shape of its own (settings,
parts, events) it is JSON, which only `recording` reads and writes. Times are seconds since the epoch.
No foreign keys: rows are written in an order that holds by itself, and a purge knows what is shared.
"""

from sqlalchemy import Column, Float, Integer, MetaData, Table, Text

META = MetaData()

runnel = Table(
    "runnel",
    META,
    Column("version", Integer, primary_key=True),  # of the schema; one row
)

conversations = Table(
    "conversations",
    META,
    Column("number", Integer, primary_key=True),  # minus this is its title's row in `search`
    Column("id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("named", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("deleted", Float),
    Column("leaf", Text),  # the last answer that is shown; the way to the first goes by `parent`
    Column("origin", Text),
    Column("origin_run", Text),
    Column("revision", Integer, nullable=False),  # over all conversations: each change takes the next one
    Column("bytes", Integer, nullable=False),  # that it takes, about; kept by triggers, as `owners` is
    Column("opened", Float, nullable=False),  # to the day
)

owners = Table(
    "owners",
    META,
    Column("owner", Text, primary_key=True),  # " ": of what is being purged
    Column("chats", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    sqlite_with_rowid=False,
)

messages = Table(
    "messages",
    META,
    Column("number", Integer, primary_key=True),  # and of its row in `search`
    Column("id", Text, nullable=False),  # of a question: Exchange.asked; of an answer: its run
    Column("conversation", Text, nullable=False),  # where it was written; a branch shows it too
    Column("parent", Text),
    Column("role", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("text", Text, nullable=False),  # of an answer: when it is over
    Column("parts", Text),  # JSON; NULL: nothing but the text
)

runs = Table(
    "runs",
    META,
    Column("id", Text, primary_key=True),
    Column("conversation", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("key", Text),  # unique for its owner
    Column("replaces", Text),  # the answer in whose place it is asked
    Column("continues", Integer, nullable=False),
    Column("started", Float, nullable=False),
    Column("options", Text, nullable=False),  # JSON, what a person chose
    Column("seconds", Float),
    Column("first_text", Float),
    Column("model", Text),
    Column("settings", Text),  # JSON, what the engine made of the options
    Column("stop", Text),
    Column("failure", Text),  # JSON
    Column("usage", Text),  # JSON
    Column("thumb", Integer, nullable=False),
    Column("stop_asked", Integer, nullable=False),
)

events = Table(
    "events",
    META,
    Column("run", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),  # of the first event in `body`
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    META,
    Column("id", Text, primary_key=True),
    Column("machine", Text, nullable=False),
    Column("locked", Integer, nullable=False),
    Column("heartbeat", Float, nullable=False),
)

currents = Table(
    "currents",
    META,
    Column("owner", Text, primary_key=True),
    Column("conversation", Text, nullable=False),
)

sign_outs = Table(
    "sign_outs",
    META,
    Column("whose", Text, primary_key=True),
    Column("sign_in", Text, primary_key=True),  # "" for all of theirs until `at`
    Column("at", Float, nullable=False),
    Column("until", Float, nullable=False),
)
