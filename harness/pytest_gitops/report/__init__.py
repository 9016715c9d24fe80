"""The reports of a run: `document` builds report.json, each format has a module, `write` writes.

Every writer is a pure function of the document, so a report merged from shards renders the same way.
"""
