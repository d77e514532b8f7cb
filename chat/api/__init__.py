"""The HTTP face: streams in several formats, and what the page's scripts ask.

mount, document, shapes   the routes, and the OpenAPI document
routes, completions, websocket, health    what they do
dialects, chunks   the formats, pure                streams    a run through one of them, into a response
bodies, completion_bodies, reading      what may be sent                otherwise    what no route takes
callers, asking    who asks; from a request to its run                 door, login    … where people log in
proxies, safety, gate, cookie      middleware of every answer, the page's too
chats, keys        what the page asks               embed      the page for other sites, and its client
"""
