"""The demo project's guideline, in Markdown."""

GUIDELINE = """\
# What does the customer want?

Choose the **one** intent that the message asks us to act on first.

- *Order status*: asks where an order is; nothing is wrong yet.
- *Late delivery*: says that it should have come already.
- *Return or exchange*: wants to send something back or swap it. *Refund*: waits for money after that.
- *Cancel an order*: before it arrives. *Change the address*: before it arrives, and still wants it.
- *Payment failed*: could not pay. *Charged twice*: paid too often.
- *Damaged item*: arrived broken or broke at once.

Some messages fit two intents. Take the one that the customer would be angry about if we missed it. If you
cannot say, skip the item and give the reason: several people will look at it.

All messages here were made by a program. No customer wrote them.
"""
