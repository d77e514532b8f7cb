"""`python -m tests.bench`: our page and a bare chat, side by side, with the same provider and browser.

    bare        the page we compare with: a gr.ChatInterface that yields at each token
    documents   the relay we compare with: FastAPI and the official client
    processes   starts the servers, reads their CPU time
    page        the browser's side: a question, what was seen when, main thread, bytes
    streams     the same without a browser, over Gradio's queue
    scenarios   what is measured of streaming, against the bare page
    relay       what is measured of the HTTP face, against the documents' relay
    keeping     what is measured of storing, against ours without it, and of long chats and lists
    unsaved     ours without it
    seed        databases with much in them
    report      the table and the aims

Nothing here asserts a time, and pytest runs none of it: figures belong to a machine.
"""
