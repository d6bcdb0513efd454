"""The pages on which people read mails. A mail's own HTML is shown in a frame that may run and load nothing."""

from __future__ import annotations

from html import escape

from .store import Mail

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'self'"
)
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884 }
td, dd { overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
dt { color: #888 } dd { margin: 0 }
pre { white-space: pre-wrap; padding: 1rem; border: 1px solid #8884; border-radius: .4rem }
iframe { width: 100%; height: 42rem; border: 1px solid #8884; border-radius: .4rem; background: #fff }
"""


def document(title: str, content: str, *, root: str, refresh_seconds: int = 0) -> str:
    """Return a whole page; `root` is the path, ending in /, that its links begin at."""
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}">' if refresh_seconds else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><base href="{escape(root)}">{refresh}'
        f"<style>{STYLE}</style></head><body>{content}</body></html>"
    )


def inbox(mails: list[Mail], *, root: str) -> str:
    """Return the list of mails; it looks again every few seconds."""
    rows = "".join(
        f"<tr><td>{escape(mail.received_at[11:19])}<td>{escape(', '.join(mail.recipients))}"
        f'<td><a href="messages/{mail.id}">{escape(mail.subject or "(no subject)")}</a>'
        for mail in mails
    )
    table = f"<table><thead><tr><th>UTC<th>To<th>Subject<tbody>{rows}</table>" if mails else "<p>No mail yet.</p>"
    note = '<p>Nothing is delivered from here. For programs: <a href="api/messages">api/messages</a>.</p>'
    return document("Mailbox", f"<h1>Mailbox</h1>{table}{note}", root=root, refresh_seconds=5)


def message(mail: Mail, *, root: str) -> str:
    """Return one mail: its headers, its text, its HTML."""
    facts = [("Envelope", f"{mail.sender} → {', '.join(mail.recipients)}"), *mail.headers]
    facts += [("Attachment", f"{one['filename']} ({one['content_type']}, {one['size_bytes']} bytes)")
              for one in mail.attachments]  # fmt: skip
    parts = [
        '<p><a href=".">Mailbox</a></p>',
        f"<h1>{escape(mail.subject or '(no subject)')}</h1>",
        "<dl>" + "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in facts) + "</dl>",
    ]
    if mail.html:
        framed = escape('<base target="_blank">' + mail.html)
        allowed = "allow-popups allow-popups-to-escape-sandbox"  # links open beside; scripts and forms do nothing
        parts.append(f'<h2>HTML</h2><iframe title="HTML" sandbox="{allowed}" srcdoc="{framed}"></iframe>')
    if mail.text:
        parts.append(f"<h2>Text</h2><pre>{escape(mail.text)}</pre>")
    return document(mail.subject or "Mail", "".join(parts), root=root)
